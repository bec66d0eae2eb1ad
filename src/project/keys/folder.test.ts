import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { generateKey } from '../../archive/index.ts';
import { checkKeyMode, checkKeyName, keyFolder, modeTooOpen, readKeyFolder, storedKey } from './folder.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const code = (value: string) => expect.objectContaining({ code: value });
const put = (name: string, text: string): void => writeFileSync(join(folder, name), text, { mode: 0o600 });

test('the key folder follows HEARTH_KEYS, then XDG_CONFIG_HOME, then the home folder', () => {
  expect(keyFolder({ HEARTH_KEYS: '/k', XDG_CONFIG_HOME: '/x' })).toBe('/k');
  expect(keyFolder({ XDG_CONFIG_HOME: '/x' })).toBe('/x/hearth/keys');
  expect(keyFolder({})).toMatch(/\/\.config\/hearth\/keys$/);
});

test('a variable that is empty is none, so that no private key goes into the folder that one happens to be in', () => {
  const atHome = keyFolder({});
  expect(keyFolder({ HEARTH_KEYS: '', XDG_CONFIG_HOME: '' })).toBe(atHome);
  expect(keyFolder({ XDG_CONFIG_HOME: 'config' })).toBe(atHome);
  expect(keyFolder({ HEARTH_KEYS: 'keys' })).toBe(join(process.cwd(), 'keys'));
});

describe('a name', () => {
  test.each(['sensor', 'Sensor_2', '2026.11-release', 'a', 'x'.repeat(64)])('may be %s', (name) => {
    checkKeyName(name);
  });

  test.each([
    ['../id_ed25519', 'Name it id_ed25519.'],
    ['a/b', 'Name it a-b.'],
    ['a\\b', 'Name it a-b.'],
    ['.hidden', 'Name it hidden.'],
    ['sensor.pub', 'Name it sensor.'],
    ["Jane's key", 'Name it Jane-s-key.'],
    ['-o', 'Name it o.'],
    ['x'.repeat(65), `Name it ${'x'.repeat(64)}.`],
    ['..', 'Name it after the product'],
    ['', 'Name it after the product'],
    ['a\nb', 'Name it a-b.'],
    ['ключ', 'Name it after the product'],
  ])('may not be %j', (name, remedy) => {
    expect(() => checkKeyName(name)).toThrow(
      expect.objectContaining({ code: 'bad-key-name', remedy: expect.stringContaining(remedy) }),
    );
    expect(() => storedKey(name, folder)).toThrow(code('bad-key-name'));
  });
});

describe('the folder', () => {
  test('that is not there holds no key', () => {
    expect(readKeyFolder(join(folder, 'none'))).toEqual({ keys: [], unusable: [] });
  });

  test('holds keys, and what else people keep there', () => {
    const { privateKey, publicKey } = generateKey('a comment');
    put('b', privateKey);
    put('b.pub', publicKey);
    put('a', generateKey('a').privateKey);
    put('.b.part-1-2', privateKey);
    put('README', 'Keys of the company.');
    put('empty', '');
    put('backup.tar', '-'.repeat(100_000));
    mkdirSync(join(folder, 'old'));
    put('torn', privateKey.slice(0, 100));
    const { keys, unusable } = readKeyFolder(folder);
    expect(keys.map(({ name, encrypted, tooOpen }) => [name, encrypted, tooOpen])).toEqual([
      ['a', false, undefined],
      ['b', false, undefined],
    ]);
    expect(`${keys[1]?.publicKey.line}\n`).toBe(publicKey);
    expect(unusable).toEqual([{ name: 'torn', path: join(folder, 'torn'), why: code('bad-ssh-key') }]);
    expect(() => storedKey('torn', folder)).toThrow(code('bad-ssh-key'));
  });

  test('knows a key that ssh-keygen has locked, by its file alone and with its comment beside it', () => {
    const path = join(folder, 'locked');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'a passphrase', '-C', 'me@desk', '-f', path]);
    const line = execFileSync('cat', [`${path}.pub`], { encoding: 'utf8' }).trim();
    const locked = storedKey('locked', folder);
    expect(locked).toMatchObject({ encrypted: true, publicKey: { line } });
    rmSync(`${path}.pub`);
    expect(storedKey('locked', folder).publicKey.line).toBe(line.replace(' me@desk', ''));
    writeFileSync(`${path}.pub`, generateKey('of another key').publicKey);
    expect(storedKey('locked', folder).publicKey.line).toBe(line.replace(' me@desk', ''));
  });

  test('suggests the name that was meant', () => {
    put('sensor', generateKey('sensor').privateKey);
    expect(() => storedKey('senser', folder)).toThrow(
      expect.objectContaining({ code: 'no-such-key', remedy: "Did you mean 'sensor'?" }),
    );
    expect(() => storedKey('gateway', folder)).toThrow(
      expect.objectContaining({
        expected: 'one of sensor',
        remedy: expect.stringContaining('fw key import gateway'),
      }),
    );
  });
});

test('a key that others can read is refused, with the command that mends it', () => {
  put('sensor', generateKey('sensor').privateKey);
  checkKeyMode(storedKey('sensor', folder));
  for (const [mode, shown] of [
    [0o640, '640'],
    [0o604, '604'],
    [0o620, '620'],
  ] as const) {
    chmodSync(join(folder, 'sensor'), mode);
    const key = storedKey('sensor', folder);
    expect(key.tooOpen).toBe(shown);
    expect(() => checkKeyMode(key)).toThrow(
      expect.objectContaining({
        code: 'key-too-open',
        remedy: expect.stringContaining(`chmod 600 ${key.path}`),
      }),
    );
    expect(() => checkKeyMode({ ...key, path: "/home/me/Jane's keys/a" })).toThrow(
      expect.objectContaining({ remedy: expect.stringContaining(`chmod 600 '/home/me/Jane'\\''s keys/a'`) }),
    );
  }
});

test('a file of somebody else, such as a mounted secret, cannot be put right and is taken', () => {
  const uid = process.getuid?.() ?? 0;
  expect(modeTooOpen({ mode: 0o100644, uid })).toBe('644');
  expect(modeTooOpen({ mode: 0o100644, uid: uid + 1 })).toBeUndefined();
  expect(modeTooOpen({ mode: 0o100600, uid })).toBeUndefined();
});
