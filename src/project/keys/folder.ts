import { closeSync, fstatSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import {
  type PublicKey,
  parsePrivateKey,
  parsePublicKey,
  privateKeyHead,
  sameKey,
} from '../../archive/index.ts';
import { FwError } from '../../errors.ts';
import { shellWord } from '../../shell-words.ts';
import { homeFolder } from '../home.ts';
import { nearest } from '../nearest.ts';

/** Where a developer's signing keys lie, one OpenSSH private key a file. */
export function keyFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.HEARTH_KEYS) return resolve(env.HEARTH_KEYS);
  const { XDG_CONFIG_HOME: config = '' } = env;
  // The XDG base directory specification: what is empty or relative is as if it were not set.
  return join(isAbsolute(config) ? config : join(homeFolder('HEARTH_KEYS'), '.config'), 'hearth', 'keys');
}

export interface StoredKey {
  /** The file's name. */
  name: string;
  path: string;
  publicKey: PublicKey;
  /** Protected by a passphrase: only ssh-agent can sign with it. */
  encrypted: boolean;
  /** The file's mode, such as `644`, when others can read the key; it is not used then, as ssh would not. */
  tooOpen?: string;
}

export interface KeyFolder {
  keys: StoredKey[];
  /** Files that look like a private key and cannot be read as one. */
  unusable: { name: string; path: string; why: FwError }[];
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Longer than any file with one key. */
const MAX_FILE = 64 * 1024;

/** A key's name is the name of a file in the folder, and of nothing outside it. */
export function isKeyName(name: string): boolean {
  return NAME.test(name) && !name.endsWith('.pub');
}

/** @throws FwError `bad-key-name` */
export function checkKeyName(name: string): void {
  if (isKeyName(name)) return;
  const better = name
    .replace(/\.pub$/, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[^A-Za-z0-9]+|-+$/g, '')
    .slice(0, 64);
  throw new FwError('bad-key-name', `${JSON.stringify(name)} cannot be the name of a key`, {
    expected:
      '1 to 64 letters, digits, dots, dashes and underscores, the first a letter or digit, not ending in .pub',
    remedy: isKeyName(better) ? `Name it ${better}.` : 'Name it after the product that it signs for.',
  });
}

/** Every key of the folder, by name. What else people keep there is passed over. */
export function readKeyFolder(folder: string): KeyFolder {
  const found: KeyFolder = { keys: [], unusable: [] };
  for (const name of fileNames(folder)) {
    if (!isKeyName(name)) continue;
    const path = join(folder, name);
    try {
      const key = readKey(name, path);
      if (key) found.keys.push(key);
    } catch (error) {
      if (!(error instanceof FwError)) throw error;
      found.unusable.push({ name, path, why: error });
    }
  }
  return found;
}

/** @throws FwError `no-such-key`, `bad-key-name`, or why the file is no key */
export function storedKey(name: string, folder: string): StoredKey {
  checkKeyName(name);
  const { keys, unusable } = readKeyFolder(folder);
  const key = keys.find((one) => one.name === name);
  if (key) return key;
  const broken = unusable.find((one) => one.name === name);
  if (broken) throw broken.why;
  const names = keys.map((one) => one.name);
  const guess = nearest(name, names);
  const others = names.length > 0 ? `one of ${names.join(', ')}` : 'a key; there is none yet';
  throw new FwError('no-such-key', `there is no signing key named '${name}'`, {
    where: folder,
    expected: others,
    remedy: guess
      ? `Did you mean '${guess}'?`
      : `Make it with \`fw key new ${name}\`, or take over a colleague's with \`fw key import ${name} FILE\`.`,
  });
}

/** The text of the private key file. */
export function privateText(key: StoredKey): string {
  return readFileSync(key.path, 'utf8');
}

/** @throws FwError `key-too-open` for a key that others can read */
export function checkKeyMode(key: StoredKey): void {
  if (key.tooOpen === undefined) return;
  throw new FwError('key-too-open', `others on this machine can read the signing key ${key.name}`, {
    where: `${key.path} (mode ${key.tooOpen})`,
    expected: 'a private key that only you can read (mode 600)',
    remedy: `Run \`chmod 600 ${shellWord(key.path)}\`. If somebody may have read it, make a new key with \`fw key new\`, and ship an update that trusts it.`,
  });
}

/** The mode of a file that others than its owner can read, as ssh judges: only a file of one's own can be put right. */
export function modeTooOpen(stat: { mode: number; uid: number }): string | undefined {
  if (stat.uid !== process.getuid?.() || (stat.mode & 0o077) === 0) return undefined;
  return (stat.mode & 0o777).toString(8).padStart(3, '0');
}

function fileNames(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new FwError('keys-unreadable', `the key folder cannot be read: ${(cause as Error).message}`, {
      where: folder,
      expected: 'a folder of yours',
      remedy: 'Make it readable for you, or name another folder in HEARTH_KEYS.',
      cause,
    });
  }
}

/** Undefined for what is no private key at all, such as a README. */
function readKey(name: string, path: string): StoredKey | undefined {
  const { text, stat } = readSmallFile(path);
  if (!text.trimStart().startsWith('-----BEGIN')) return undefined;
  const { encrypted, publicKey } = privateKeyHead(text, path);
  const tooOpen = modeTooOpen(stat);
  return {
    name,
    path,
    encrypted,
    publicKey: encrypted ? withComment(publicKey, path) : parsePrivateKey(text, path).publicKey,
    ...(tooOpen ? { tooOpen } : {}),
  };
}

function readSmallFile(path: string): { text: string; stat: { mode: number; uid: number } } {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const stat = fstatSync(file);
    return { stat, text: stat.isFile() && stat.size <= MAX_FILE ? readFileSync(file, 'utf8') : '' };
  } catch (cause) {
    throw new FwError('key-missing', `the signing key ${path} cannot be read: ${(cause as Error).message}`, {
      where: path,
      expected: 'an OpenSSH private key (ssh-ed25519)',
      remedy: 'Make the file readable for you.',
      cause,
    });
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

/** A locked key keeps its comment to itself; the .pub file beside it has it too. */
function withComment(key: PublicKey, path: string): PublicKey {
  try {
    const beside = parsePublicKey(readFileSync(`${path}.pub`, 'utf8'));
    return sameKey(beside, key) ? beside : key;
  } catch (error) {
    if (error instanceof FwError || (error as NodeJS.ErrnoException).code === 'ENOENT') return key;
    throw error;
  }
}
