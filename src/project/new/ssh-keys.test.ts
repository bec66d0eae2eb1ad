import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { resolveConfig } from '../load.ts';
import { findSshKeys, publicLine } from './ssh-keys.ts';

// Keys of every kind that ssh-keygen makes without hardware, and what else lies in a ~/.ssh.
const TYPES: [name: string, ...args: string[]][] = [
  ['id_ecdsa', '-t', 'ecdsa', '-b', '521'],
  ['id_ed25519', '-t', 'ed25519'],
  ['id_rsa', '-t', 'rsa', '-b', '2048'],
];
let dir: string;
let ssh: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-ssh-'));
  ssh = join(dir, '.ssh');
  mkdirSync(ssh);
  const make = (path: string, ...args: string[]): void => {
    execFileSync('ssh-keygen', ['-q', '-N', '', '-C', "Jane's desk", '-f', path, ...args]);
  };
  for (const [name, ...args] of TYPES) make(join(ssh, name), ...args);
  make(join(dir, 'of-the-agent'), '-t', 'ed25519');
  const sign = ['-q', '-s', join(dir, 'of-the-agent'), '-I', 'id', join(ssh, 'id_ed25519.pub')];
  execFileSync('ssh-keygen', sign);
  writeFileSync(join(ssh, 'copy.pub'), line('id_rsa'));
  writeFileSync(join(ssh, 'torn.pub'), line('id_rsa').slice(0, 200));
  writeFileSync(join(ssh, 'empty.pub'), '');
  writeFileSync(join(ssh, 'known_hosts'), `host ${line('id_rsa')}`);
  mkdirSync(join(ssh, 'folder.pub'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const line = (name: string): string => readFileSync(join(ssh, `${name}.pub`), 'utf8').trim();

test('every public key of the folder is found once, and certificates and torn files are not', async () => {
  const found = await findSshKeys(ssh, undefined);
  expect(found).toEqual([
    { line: line('id_rsa'), from: join(ssh, 'copy.pub') },
    { line: line('id_ecdsa'), from: join(ssh, 'id_ecdsa.pub') },
    { line: line('id_ed25519'), from: join(ssh, 'id_ed25519.pub') },
  ]);
  const sshKeys = found.map((key) => key.line);
  const updateKeys = [line('id_ed25519')];
  const base = { name: 'x', version: '1.0.0', app: 'x', targets: ['rpi3'] };
  expect(resolveConfig({ ...base, updateKeys, sshKeys }, 'fw.config.ts').sshKeys).toEqual(sshKeys);
});

test('a real agent adds the keys that only it has, with their comments', async () => {
  const socket = join(dir, 'agent');
  const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(agent.stdout, 'data');
    const env = { ...process.env, SSH_AUTH_SOCK: socket };
    for (const path of [join(ssh, 'id_rsa'), join(dir, 'of-the-agent')])
      execFileSync('ssh-add', ['-q', path], { env, stdio: 'ignore' });
    const agentLine = readFileSync(join(dir, 'of-the-agent.pub'), 'utf8').trim();
    expect(await findSshKeys(join(dir, 'none'), socket)).toHaveLength(2);
    expect((await findSshKeys(ssh, socket)).slice(3)).toEqual([{ line: agentLine, from: 'ssh-agent' }]);
  } finally {
    agent.kill();
    await once(agent, 'exit');
  }
});

test('no folder and a dead agent are no keys, and no error', async () => {
  expect(await findSshKeys(join(dir, 'none'), join(dir, 'gone'))).toEqual([]);
});

test('a line is a key only if its type is what its bytes say', () => {
  const [, base64] = line('id_rsa').split(' ');
  expect(publicLine(`ssh-rsa ${base64}`)).toBe(`ssh-rsa ${base64}`);
  expect(publicLine(` ssh-rsa\t${base64}  a  b `)).toBe(`ssh-rsa ${base64} a b`);
  expect(publicLine(`ssh-ed25519 ${base64}`)).toBeUndefined();
  expect(publicLine(`ssh-rsa ${base64} a\u0007b`)).toBeUndefined();
  expect(publicLine(`command="x" ssh-rsa ${base64}`)).toBeUndefined();
});
