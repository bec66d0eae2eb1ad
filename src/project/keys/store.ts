import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { generateKey, parsePrivateKey, parsePublicKey, sameKey } from '../../archive/index.ts';
import { FwError } from '../../errors.ts';
import { undisturbed } from '../undisturbed.ts';
import { checkKeyName, readKeyFolder, type StoredKey, storedKey } from './folder.ts';

/**
 * Makes a new signing key: an OpenSSH private key file and its public half beside it, whole and on the disk, or not
 * at all. Its comment is its name.
 * @throws FwError `key-exists` (a signing key is never replaced: devices may depend on it), `bad-key-name`,
 *   `keys-not-writable`
 */
export function createKey(name: string, folder: string): StoredKey {
  checkKeyName(name);
  const { privateKey, publicKey } = generateKey(name);
  return store(name, folder, privateKey, publicKey);
}

/**
 * Takes over a key that was made elsewhere, from the text of its private key file. The same key under the same name
 * is no mistake.
 * @throws FwError those of `createKey`, and of `parsePrivateKey`: a key with a passphrase belongs into ssh-agent
 */
export function importKey(name: string, folder: string, text: string, from: string): StoredKey {
  checkKeyName(name);
  const { publicKey } = parsePrivateKey(text, from);
  const there = readKeyFolder(folder).keys.find((key) => key.name === name);
  if (there && sameKey(there.publicKey, publicKey)) return there;
  return store(name, folder, `${text.trim().replaceAll('\r\n', '\n')}\n`, `${publicKey.line}\n`);
}

/** Takes a key away again that nobody has used yet. */
export function discardKey({ path }: StoredKey): void {
  for (const file of [path, `${path}.pub`]) rmSync(file, { force: true });
}

function store(name: string, folder: string, privateKey: string, publicKey: string): StoredKey {
  const path = join(folder, name);
  const part = join(folder, `.${name}.part-${process.pid}-${randomBytes(4).toString('hex')}`);
  const made = new Set<string>();
  try {
    undisturbed(() => {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      made.add(part);
      writeDurably(part, privateKey, 0o600);
      // A link, unlike a rename, never takes the place of a key that is there already.
      linkSync(part, path);
      made.add(path);
      rmSync(part);
      writeDurably(part, publicKey, 0o644);
      if (!hasPublicHalf(name, `${path}.pub`, publicKey)) linkSync(part, `${path}.pub`);
      rmSync(part);
      syncFolder(folder);
    });
  } catch (error) {
    for (const file of made) rmSync(file, { force: true });
    throw storeError(error, name, path);
  }
  return storedKey(name, folder);
}

/**
 * Whether the public half is there already, left behind by a private one that was moved away: that key may come back.
 * @throws FwError `key-exists` for that of another key
 */
function hasPublicHalf(name: string, path: string, publicKey: string): boolean {
  let there: string;
  try {
    there = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  if (isSameKey(there, publicKey)) return true;
  const advice = {
    expected: 'no such file, or that of the same key: devices may depend on the key whose public half it is',
    remedy: `Choose another name, or put the private half of that key beside it with \`fw key import ${name} FILE\`.`,
  };
  throw keyExists(name, path, advice, 'the public half of a key');
}

function isSameKey(there: string, publicKey: string): boolean {
  try {
    return sameKey(parsePublicKey(there), parsePublicKey(publicKey));
  } catch (error) {
    // It is no public key: not this one.
    if (error instanceof FwError) return false;
    throw error;
  }
}

function writeDurably(path: string, text: string, mode: number): void {
  const file = openSync(path, 'wx', mode);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Without it a power cut could forget the file's name. */
function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** `key-exists`, with what fits where it is told. */
export function keyExists(
  name: string,
  where: string,
  advice: { expected: string; remedy: string },
  what = 'a signing key',
): FwError {
  const message = `there is ${what} named '${name}' already; it was left alone`;
  return new FwError('key-exists', message, { where, ...advice });
}

function storeError(error: unknown, name: string, path: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  if (code === 'EEXIST' && syscall === 'link')
    return keyExists(name, path, {
      expected: 'a name that is free: devices may depend on the key that is there',
      remedy: `Choose another name, or look at that key with \`fw key show ${name}\`.`,
    });
  return new FwError('keys-not-writable', `the key was not written: ${message}`, {
    where: path,
    expected: 'a folder of yours that can be written',
    remedy: 'Make room or correct its permissions, or name another folder in HEARTH_KEYS.',
    cause: error,
  });
}
