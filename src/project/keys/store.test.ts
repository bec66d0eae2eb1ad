import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fingerprint, generateKey, parsePublicKey } from '../../archive/index.ts';
import { privateText, readKeyFolder, storedKey } from './folder.ts';
import { createKey, discardKey, importKey } from './store.ts';

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hearth-keys-'));
  folder = join(root, 'config', 'keys');
});
afterEach(() => rmSync(root, { recursive: true }));

const code = (value: string) => expect.objectContaining({ code: value });
const mode = (path: string): number => statSync(path).mode & 0o777;

test('a new key is two files that only their owner can read, in a folder of the owner’s', () => {
  const key = createKey('sensor', folder);
  expect(readdirSync(folder)).toEqual(['sensor', 'sensor.pub']);
  expect([mode(folder), mode(join(root, 'config')), mode(key.path)]).toEqual([0o700, 0o700, 0o600]);
  expect(readFileSync(`${key.path}.pub`, 'utf8')).toBe(`${key.publicKey.line}\n`);
  expect(key.publicKey.line).toMatch(/ sensor$/);
  expect(storedKey('sensor', folder)).toEqual(key);
});

test('a key that is there is never replaced, nor a file that is none', () => {
  const before = privateText(createKey('sensor', folder));
  expect(() => createKey('sensor', folder)).toThrow(code('key-exists'));
  expect(() => importKey('sensor', folder, generateKey('x').privateKey, 'x')).toThrow(code('key-exists'));
  expect(readFileSync(join(folder, 'sensor'), 'utf8')).toBe(before);
  writeFileSync(join(folder, 'notes'), 'do not lose me');
  expect(() => createKey('notes', folder)).toThrow(code('key-exists'));
  expect(readFileSync(join(folder, 'notes'), 'utf8')).toBe('do not lose me');
  expect(readdirSync(folder)).toEqual(['notes', 'sensor', 'sensor.pub']);
});

test('a public half whose private one is elsewhere is not replaced, and its private one may come back', () => {
  const away = createKey('sensor', folder);
  const text = privateText(away);
  const line = readFileSync(`${away.path}.pub`, 'utf8');
  rmSync(away.path);
  for (const take of [
    () => createKey('sensor', folder),
    () => importKey('sensor', folder, generateKey('x').privateKey, 'x'),
  ]) {
    expect(take).toThrow(expect.objectContaining({ code: 'key-exists', where: `${away.path}.pub` }));
    expect(readFileSync(`${away.path}.pub`, 'utf8')).toBe(line);
    expect(readdirSync(folder)).toEqual(['sensor.pub']);
  }
  expect(importKey('sensor', folder, text, 'x').publicKey).toEqual(away.publicKey);
  expect(readFileSync(`${away.path}.pub`, 'utf8')).toBe(line);
  expect(readdirSync(folder)).toEqual(['sensor', 'sensor.pub']);
});

test('a key that cannot be stored whole is not there at all', () => {
  mkdirSync(join(folder, 'sensor.pub'), { recursive: true });
  expect(() => createKey('sensor', folder)).toThrow(code('keys-not-writable'));
  expect(readdirSync(folder)).toEqual(['sensor.pub']);
  writeFileSync(join(root, 'file'), '');
  expect(() => createKey('sensor', join(root, 'file'))).toThrow(code('keys-not-writable'));
});

test('a colleague’s key is taken over, once or twice', () => {
  const theirs = createKey('sensor', join(root, 'theirs'));
  const text = privateText(theirs);
  for (const given of [text, text.trim(), text.replaceAll('\n', '\r\n')]) {
    const ours = importKey('sensor', folder, given, 'standard input');
    expect(fingerprint(ours.publicKey)).toBe(fingerprint(theirs.publicKey));
    expect(mode(ours.path)).toBe(0o600);
    expect(parsePublicKey(readFileSync(`${ours.path}.pub`, 'utf8'))).toEqual(theirs.publicKey);
  }
  expect(() => importKey('b', folder, theirs.publicKey.line, 'sensor.pub')).toThrow(code('bad-ssh-key'));
  expect(readKeyFolder(folder).keys).toHaveLength(1);
});

test('a key that nobody has used can be taken away again', () => {
  discardKey(createKey('sensor', folder));
  expect(readdirSync(folder)).toEqual([]);
});
