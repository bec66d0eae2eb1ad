import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { fingerprint, parsePublicKey } from '../archive/public-key.ts';
import type { Signer } from '../archive/signer.ts';
import { FwError } from '../errors.ts';
import { type Project, resolveConfig } from '../project/load.ts';
import { findSigner } from './signing.ts';

// Keys made by ssh-keygen: one that the project trusts, one that it does not, one with a passphrase.
let keys: string;
beforeAll(() => {
  keys = mkdtempSync(join(tmpdir(), 'hearth-keys-'));
  const make = (name: string, passphrase = '', type = 'ed25519'): void => {
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', name, '-f', join(keys, name)]);
  };
  make('ours');
  make('other');
  make('locked', 'a passphrase');
});
afterAll(() => rmSync(keys, { recursive: true }));

const text = (name: string): string => readFileSync(join(keys, name), 'utf8');
const line = (name: string): string => text(`${name}.pub`).trim();

let dir: string;
/** An environment in which there is no key at all. */
let none: NodeJS.ProcessEnv;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-signing-'));
  mkdirSync(join(dir, 'keys'));
  none = { HEARTH_KEYS: join(dir, 'keys') };
});
afterEach(() => rmSync(dir, { recursive: true }));

function project(change: object = {}): Project {
  const configFile = join(dir, 'fw.config.ts');
  const config = resolveConfig(
    { name: 'x', version: '1.0.0', app: 'x', targets: ['rpi3'], updateKeys: [line('ours')], ...change },
    configFile,
  );
  return { dir, configFile, config };
}

/** What a signer signs is accepted by its public key: node:crypto is the judge. */
async function expectOurs(signer: Signer): Promise<void> {
  const key = parsePublicKey(signer.publicKey);
  expect(fingerprint(key)).toBe(fingerprint(parsePublicKey(line('ours'))));
  const { createPublicKey, verify } = await import('node:crypto');
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.raw]);
  const publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  const data = Buffer.from('the firmware');
  expect(verify(null, data, publicKey, await signer.sign(data))).toBe(true);
}

async function failure(of: Project, env: NodeJS.ProcessEnv): Promise<FwError> {
  const error = await findSigner(of, env).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(FwError);
  return error as FwError;
}

describe('the private half of an update key is found', () => {
  test('in the file that HEARTH_SIGNING_KEY names', async () => {
    await expectOurs(await findSigner(project(), { ...none, HEARTH_SIGNING_KEY: join(keys, 'ours') }));
  });

  test('in HEARTH_SIGNING_KEY itself, as CI secrets are', async () => {
    await expectOurs(await findSigner(project(), { ...none, HEARTH_SIGNING_KEY: text('ours') }));
  });

  test("in the config's signingKey, relative to the project", async () => {
    writeFileSync(join(dir, 'key'), text('ours'), { mode: 0o600 });
    await expectOurs(await findSigner(project({ signingKey: './key' }), none));
  });

  test('in the key folder, among keys of other projects, locked ones and what else lies there', async () => {
    for (const name of ['locked', 'other', 'ours']) {
      writeFileSync(join(dir, 'keys', name), text(name), { mode: 0o600 });
      writeFileSync(join(dir, 'keys', `${name}.pub`), text(`${name}.pub`));
    }
    writeFileSync(join(dir, 'keys', 'README'), 'Keys of the company.');
    mkdirSync(join(dir, 'keys', 'archive'));
    const signer = await findSigner(project(), none);
    await expectOurs(signer);
    expect(signer.source).toBe(join(dir, 'keys', 'ours'));
  });

  test('as any of several update keys, the second as well as the first', async () => {
    const both = project({ updateKeys: [line('other'), line('ours')] });
    await expectOurs(await findSigner(both, { ...none, HEARTH_SIGNING_KEY: text('ours') }));
  });

  test('in a real ssh-agent, as the last place', async () => {
    const socket = join(dir, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(agent.stdout, 'data');
      const env = { ...none, SSH_AUTH_SOCK: socket };
      expect((await failure(project(), env)).code).toBe('no-signing-key');
      execFileSync('ssh-add', ['-q', join(keys, 'ours')], { env, stdio: 'ignore' });
      await expectOurs(await findSigner(project(), env));
    } finally {
      agent.kill();
      await once(agent, 'exit');
    }
  });
});

describe('without one the firmware is not signed', () => {
  test('and the error names the keys, where to put one, and the commands', async () => {
    const both = [line('ours'), line('other')];
    const error = await failure(project({ updateKeys: both }), none);
    expect(error).toMatchObject({
      code: 'no-signing-key',
      where: `${join(dir, 'fw.config.ts')}: updateKeys`,
    });
    for (const [name, key] of [
      ['ours', line('ours')],
      ['other', line('other')],
    ] as const)
      expect(error.message).toContain(`${name} ${fingerprint(parsePublicKey(key))}`);
    for (const place of ['HEARTH_SIGNING_KEY', join(dir, 'keys'), 'ssh-agent'])
      expect(error.expected).toContain(place);
    for (const way of ['fw key export ours', 'fw key import ours', 'HEARTH_SIGNING_KEY', 'fw key new'])
      expect(error.remedy).toContain(way);
    expect(error.remedy).toContain('updateKeys');
  });

  test('and a key that has no name of its own is asked for by the name of the project', async () => {
    const [type, base64] = line('ours').split(' ');
    const error = await failure(project({ updateKeys: [`${type} ${base64} Jane's key`] }), none);
    expect(error.message).toContain("Jane's key SHA256:");
    expect(error.remedy).toContain('fw key import x ');
  });

  test('and a key of the project with a passphrase is for ssh-agent', async () => {
    writeFileSync(join(dir, 'keys', 'locked'), text('locked'), { mode: 0o600 });
    const error = await failure(project({ updateKeys: [line('locked')] }), none);
    expect(error.code).toBe('key-encrypted');
    expect(error.message).toContain(join(dir, 'keys', 'locked'));
    expect(error.remedy).toContain(`ssh-add ${join(dir, 'keys', 'locked')}`);
    expect((await failure(project(), none)).code, 'of another project').toBe('no-signing-key');
  });

  test('and a key that others can read is not used, as ssh would not', async () => {
    const path = join(dir, 'keys', 'ours');
    writeFileSync(path, text('ours'));
    chmodSync(path, 0o640);
    const error = await failure(project(), none);
    expect(error).toMatchObject({ code: 'key-too-open', where: `${path} (mode 640)` });
    expect(error.remedy).toContain(`chmod 600 ${path}`);
    chmodSync(path, 0o600);
    await expectOurs(await findSigner(project(), none));
  });

  test('and files of the folder that cannot be read as a key are named', async () => {
    const path = join(dir, 'keys', 'torn');
    writeFileSync(path, text('ours').slice(0, 200));
    expect((await failure(project(), none)).message).toContain(path);
  });

  test('also when an agent is named that is gone', async () => {
    const error = await failure(project(), { ...none, SSH_AUTH_SOCK: join(dir, 'gone') });
    expect(error.code).toBe('no-signing-key');
  });

  test.each([
    ['HEARTH_SIGNING_KEY, a text', () => ({ HEARTH_SIGNING_KEY: text('other') }), {}, 'HEARTH_SIGNING_KEY'],
    [
      'HEARTH_SIGNING_KEY, a file',
      () => ({ HEARTH_SIGNING_KEY: join(keys, 'other') }),
      {},
      'HEARTH_SIGNING_KEY',
    ],
    ['signingKey', () => ({}), { signingKey: 'key' }, 'signingKey'],
  ])('a key that the devices would refuse is refused: %s', async (_name, env, change, where) => {
    writeFileSync(join(dir, 'key'), text('other'));
    // A key that would do lies in the folder: what was asked for by name must not be passed over in silence.
    writeFileSync(join(dir, 'keys', 'ours'), text('ours'), { mode: 0o600 });
    const error = await failure(project(change), { ...none, ...env() });
    expect(error).toMatchObject({ code: 'signing-key-not-trusted', where: expect.stringContaining(where) });
    expect(error.remedy).toContain('updateKeys');
    for (const name of ['ours', 'other'])
      expect(error.message + error.expected).toContain(fingerprint(parsePublicKey(line(name))));
  });

  test.each([
    ['a file that is not there', () => '/nowhere/key', 'key-missing'],
    ['a locked key', () => join(keys, 'locked'), 'key-encrypted'],
    ['a key with a line missing', () => text('ours').split('\n').toSpliced(2, 1).join('\n'), 'bad-ssh-key'],
    ['the public half, as text', () => line('ours'), 'bad-ssh-key'],
  ])('HEARTH_SIGNING_KEY naming %s says what is wrong', async (_name, value, code) => {
    const error = await failure(project(), { ...none, HEARTH_SIGNING_KEY: value() });
    expect(error.code).toBe(code);
    expect(error.message + error.where).not.toContain(text('ours').split('\n')[1]);
  });
});
