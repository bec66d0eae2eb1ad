import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { copyHello, fw, fwJson } from './fw.ts';

/** fw key, judged by ssh-keygen. */
let dir: string;
let folder: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-key-'));
  folder = join(dir, 'config', 'keys');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

interface Key {
  name: string;
  fingerprint: string;
  publicKey: string;
  path: string;
  privateKey?: string;
  trustedBy?: string;
}
const here = () => ({ cwd: dir, env: { HEARTH_KEYS: folder } });
const key = (...args: string[]) => fw(['key', ...args], here());
const keyJson = <T = Key>(...args: string[]) => fwJson<T>(['key', ...args], here());
const sshKeygen = (...args: string[]): string =>
  execFileSync('ssh-keygen', args, { encoding: 'utf8' }).trim();
const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
async function errorOf(...args: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await key(...args, '--json');
  expect([code, stderr]).toEqual([1, '']);
  return (JSON.parse(stdout) as { error: unknown }).error;
}

test('a new key is the one that ssh-keygen reads, and what is told of it is what ssh-keygen tells', async () => {
  const within = ['sh', '-c', 'umask 000 && exec "$0" "$@"'];
  const made = await fwJson<Key>(['key', 'new', 'sensor'], { ...here(), within });
  expect(made.path).toBe(join(folder, 'sensor'));
  expect([mode(folder), mode(made.path), mode(`${made.path}.pub`)]).toEqual(['700', '600', '644']);
  for (const file of [made.path, `${made.path}.pub`])
    expect(sshKeygen('-l', '-f', file)).toBe(`256 ${made.fingerprint} sensor (ED25519)`);
  expect(sshKeygen('-y', '-f', made.path)).toBe(made.publicKey);
  expect(readFileSync(`${made.path}.pub`, 'utf8')).toBe(`${made.publicKey}\n`);
  const { privateKey, ...shown } = await keyJson('export', 'sensor');
  expect(shown).toEqual(made);
  expect(privateKey).toBe(readFileSync(made.path, 'utf8'));
  expect(await keyJson('show', 'sensor')).toEqual(made);
  expect(await keyJson('list')).toEqual({ folder, keys: [made], unusable: [] });
});

test('people are told to back a new key up, how, and what happens if it is lost', async () => {
  const { code, stdout } = await key('new', 'sensor');
  expect(code).toBe(0);
  for (const text of ['Back', 'fw key export sensor >', 'lost', 'updateKeys']) expect(stdout).toContain(text);
});

test('of two that make a key of one name at once, one does', async () => {
  const both = await Promise.all([key('new', 'sensor', '--json'), key('new', 'sensor', '--json')]);
  expect(both.map(({ code }) => code).sort()).toEqual([0, 1]);
  const winner = JSON.parse(both.find(({ code }) => code === 0)?.stdout ?? '') as Key;
  expect(sshKeygen('-y', '-f', winner.path)).toBe(winner.publicKey);
  expect(readdirSync(folder)).toEqual(['sensor', 'sensor.pub']);
});

test('a key moves to another machine, through a file or a pipe, byte by byte', async () => {
  await key('new', 'sensor');
  const out = join(dir, 'sensor.key');
  const exported = await key('export', 'sensor');
  expect(exported.stderr).toContain('keep it secret');
  writeFileSync(out, exported.stdout);
  expect(exported.stdout).toBe(readFileSync(join(folder, 'sensor'), 'utf8'));

  const theirs = { ...here(), env: { HEARTH_KEYS: join(dir, 'theirs') } };
  const imported = await fwJson<Key>(['key', 'import', 'sensor', out], theirs);
  const piped = { ...theirs, within: ['sh', '-c', `exec "$0" "$@" < '${out}'`] };
  expect((await fwJson<Key>(['key', 'import', 'again'], piped)).fingerprint).toBe(imported.fingerprint);
  expect(readFileSync(imported.path, 'utf8')).toBe(exported.stdout);
  expect(sshKeygen('-y', '-f', imported.path)).toBe(readFileSync(join(folder, 'sensor.pub'), 'utf8').trim());
  expect(mode(imported.path)).toBe('600');
});

test('a private key that goes into a file which others can read is not passed over in silence', async () => {
  await key('new', 'sensor');
  const into = async (umask: string) => {
    const within = ['sh', '-c', `umask ${umask} && exec "$0" "$@" > out-${umask}`];
    return (await fw(['key', 'export', 'sensor'], { ...here(), within })).stderr;
  };
  expect(await into('022')).toContain('chmod 600');
  expect(await into('077')).not.toContain('chmod');
});

describe('keys of ssh-keygen', () => {
  test('are keys like others; one with a passphrase is known, and is for ssh-agent', async () => {
    mkdirSync(folder, { recursive: true });
    sshKeygen('-q', '-t', 'ed25519', '-N', '', '-C', 'open', '-f', join(folder, 'open'));
    sshKeygen('-q', '-t', 'ed25519', '-N', 'a passphrase', '-C', 'me', '-f', join(folder, 'locked'));
    const { keys } = await keyJson<{ keys: Key[] }>('list');
    expect(keys.map(({ name, fingerprint }) => `${name} ${fingerprint}`)).toEqual(
      ['locked', 'open'].map((name) => `${name} ${sshKeygen('-l', '-f', join(folder, name)).split(' ')[1]}`),
    );
    expect((await key('list')).stdout).toMatch(/^locked .*passphrase.*ssh-agent$/m);
    expect(await errorOf('import', 'mine', join(folder, 'locked'))).toMatchObject({ code: 'key-encrypted' });
  });

  test('of other kinds are told apart from none', async () => {
    mkdirSync(folder, { recursive: true });
    sshKeygen('-q', '-t', 'rsa', '-N', '', '-C', 'old', '-f', join(folder, 'old'));
    expect((await key('list')).stdout).toMatch(/^old {2}not usable: .*ssh-rsa/m);
    expect(await errorOf('show', 'old')).toMatchObject({ code: 'key-type-unsupported' });
  });
});

describe('which key signs the project in this folder', () => {
  test('is shown, also when everybody has it', async () => {
    const app = await copyHello(dir);
    const shown = await keyJson<Key & { exampleKey: boolean; source: string }>('show', '--app', app);
    expect(shown).toMatchObject({
      project: 'hello',
      exampleKey: true,
      source: expect.stringContaining('signingKey'),
    });
    expect(shown.publicKey).toBe(sshKeygen('-y', '-f', privateCopy(join(dir, 'example-key', 'example_key'))));
    expect((await key('show', '--app', app)).stdout).toContain('everybody has it');
  });

  test('is marked in the list; a project that is broken does not hide the keys', async () => {
    const app = await copyHello(dir);
    await key('new', 'mine');
    const { publicKey } = await keyJson('show', 'mine');
    const config = join(app, 'fw.config.ts');
    const text = readFileSync(config, 'utf8').replace(
      /updateKeys: \[[^\]]*\]/,
      `updateKeys: ['${publicKey}']`,
    );
    writeFileSync(config, text.replace(/signingKey:.*/, ''));
    const list = () => fw(['key', 'list'], { ...here(), cwd: app });
    expect((await list()).stdout).toMatch(/^mine .* trusted by hello$/m);
    expect(await keyJson('show', '--app', app)).toMatchObject({ publicKey, source: join(folder, 'mine') });
    writeFileSync(config, 'export default {');
    const broken = await list();
    expect([broken.code, broken.stdout]).toEqual([0, expect.stringMatching(/^mine +SHA256:\S+\n$/)]);
    expect(broken.stderr).toContain('fw.config.ts');
  });

  test('is an error where there is no project', async () => {
    expect(await errorOf('show')).toMatchObject({ code: 'no-config' });
    expect(await errorOf('list', '--app', dir)).toMatchObject({ code: 'no-config' });
  });
});

describe('mistakes', () => {
  test('a name that leads out of the folder, before anything is read', async () => {
    expect(await errorOf('export', '../../etc/passwd')).toMatchObject({ code: 'bad-key-name' });
    expect(await errorOf('import', 'a/b', 'gone')).toMatchObject({ code: 'bad-key-name' });
  });

  test('a name that is almost right', async () => {
    await key('new', 'sensor');
    expect(await errorOf('export', 'sensr')).toMatchObject({
      code: 'no-such-key',
      remedy: "Did you mean 'sensor'?",
    });
  });

  test('a file that is not there, or no key', async () => {
    expect(await errorOf('import', 'x', 'gone')).toMatchObject({ code: 'key-missing', where: 'gone' });
    // Standard input is empty here.
    expect(await errorOf('import', 'x')).toMatchObject({ code: 'bad-ssh-key' });
  });

  test('a disk that takes no key leaves none', async () => {
    folder = '/sys/keys';
    expect(await errorOf('new', 'sensor')).toMatchObject({
      code: 'keys-not-writable',
      where: '/sys/keys/sensor',
    });
  });

  test('wrong usage', async () => {
    expect((await key()).code).toBe(2);
    expect(await key('nwe')).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean new?') });
  });
});

/** git keeps no modes, and ssh-keygen reads no key that others can read. */
function privateCopy(path: string): string {
  const copy = join(dir, 'private-copy');
  writeFileSync(copy, readFileSync(path), { mode: 0o600 });
  return copy;
}
