import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import { FormatError, FwError } from '../errors.ts';
import {
  checkKeyType,
  KEY_TYPE,
  type PublicKey,
  parsePublicKeyBlob,
  publicKeyFromRaw,
  RAW_KEY_SIZE,
  sameKey,
} from './public-key.ts';
import { WireReader, wireString, wireUint32 } from './ssh-wire.ts';

/** OpenSSH's private key file, unencrypted, one Ed25519 key. Source: PROTOCOL.key of OpenSSH. */
const BEGIN = '-----BEGIN OPENSSH PRIVATE KEY-----';
const END = '-----END OPENSSH PRIVATE KEY-----';
const MAGIC = 'openssh-key-v1\0';
/** ssh-keygen breaks lines here. */
const LINE = 70;
/** Block size of the cipher "none", to which the private part is padded. */
const BLOCK = 8;

export interface PrivateKey {
  publicKey: PublicKey;
  /** Signs; the secret stays inside. */
  key: KeyObject;
}

/**
 * What such a file says without its passphrase: which key it is. The comment is inside, so there is none.
 * @throws FwError `key-type-unsupported`, or `bad-ssh-key`
 */
export function privateKeyHead(text: string, where: string): { publicKey: PublicKey; encrypted: boolean } {
  const { publicKey, encrypted } = naming(where, () => readHead(text, where));
  return { publicKey, encrypted };
}

type Head = ReturnType<typeof privateKeyHead> & { reader: WireReader };

function readHead(text: string, where: string): Head {
  const reader = new WireReader('ssh-key', unarmor(text, where));
  if (reader.bytes(MAGIC.length, 'the magic').toString('latin1') !== MAGIC)
    reader.fail('not an OpenSSH private key');
  const cipher = reader.text('the cipher');
  const kdf = reader.text('the key derivation');
  reader.string('the options of the key derivation');
  const count = reader.uint32('the number of keys');
  if (count !== 1) reader.fail(`the file holds ${count} keys, expected 1`);
  const publicKey = parsePublicKeyBlob(reader.string('the public key'), `the key in ${where}`);
  return { publicKey, encrypted: cipher !== 'none' || kdf !== 'none', reader };
}

/**
 * @param where the file's name, for messages
 * @throws FwError `key-encrypted`, `key-type-unsupported`, or `bad-ssh-key`
 */
export function parsePrivateKey(text: string, where: string): PrivateKey {
  return naming(where, () => readKey(text, where));
}

function readKey(text: string, where: string): PrivateKey {
  const { publicKey: outer, encrypted, reader } = readHead(text, where);
  if (encrypted) throw locked(where);
  const inner = new WireReader('ssh-key', reader.string('the private part'));
  reader.end('the private part');
  const checks = [inner.uint32('a check number'), inner.uint32('a check number')];
  if (checks[0] !== checks[1]) inner.fail('the check numbers differ');
  checkKeyType(inner.text('the type'), `the key in ${where}`);
  const raw = inner.string('the public half');
  const secret = inner.string('the private half');
  const comment = inner.string('the comment').toString('utf8');
  inner.rest().forEach((byte, index) => {
    if (byte !== index + 1) inner.fail('the padding is wrong');
  });
  if (secret.length !== 2 * RAW_KEY_SIZE)
    inner.fail(`the private half has ${secret.length} bytes, expected 64`);
  const key = keyFromSeed(secret.subarray(0, RAW_KEY_SIZE));
  const publicKey = publicKeyFromRaw(publicHalf(key), comment);
  const stated = [outer, publicKeyFromRaw(raw), publicKeyFromRaw(secret.subarray(RAW_KEY_SIZE))];
  if (!stated.every((half) => sameKey(half, publicKey)))
    inner.fail('public and private half do not belong together');
  return { publicKey, key };
}

/** A new signing key: the text of an OpenSSH private key file, and its public line (both end in a newline). */
export function generateKey(comment: string): { privateKey: string; publicKey: string } {
  const { privateKey } = generateKeyPairSync('ed25519');
  const seed = Buffer.from(privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  const publicKey = publicKeyFromRaw(publicHalf(privateKey), comment);
  const check = randomBytes(4);
  const inner = Buffer.concat([
    check,
    check,
    wireString(KEY_TYPE),
    wireString(publicKey.raw),
    wireString(Buffer.concat([seed, publicKey.raw])),
    wireString(comment),
  ]);
  const padding = Buffer.from(
    Array.from({ length: (BLOCK - (inner.length % BLOCK)) % BLOCK }, (_, i) => i + 1),
  );
  const file = Buffer.concat([
    Buffer.from(MAGIC, 'latin1'),
    wireString('none'),
    wireString('none'),
    wireString(''),
    wireUint32(1),
    wireString(publicKey.blob),
    wireString(Buffer.concat([inner, padding])),
  ]);
  const lines = file.toString('base64').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return { privateKey: `${[BEGIN, ...lines, END].join('\n')}\n`, publicKey: `${publicKey.line}\n` };
}

function unarmor(text: string, where: string): Buffer {
  const lines = text.trim().split(/\r?\n/);
  const first = lines[0] ?? '';
  if (first === BEGIN && lines.at(-1) !== END)
    throw new FormatError('ssh-key', 'the file is cut off', { where, expected: `a last line ${END}` });
  if (first !== BEGIN) {
    if (text.includes('ENCRYPTED')) throw locked(where);
    const other = /^-----BEGIN (\w+ )?PRIVATE KEY-----$/.exec(first);
    throw other
      ? new FwError('key-type-unsupported', `${where} is not in OpenSSH's format ("${first}")`, {
          where,
          expected: BEGIN,
          remedy: 'Make a key for firmware with `ssh-keygen -t ed25519`.',
        })
      : notArmored(text, first, where);
  }
  return Buffer.from(lines.slice(1, -1).join(''), 'base64');
}

/** What people mix up, or lose on the way, has a remedy of its own. */
function notArmored(text: string, first: string, where: string): FormatError {
  const expected = `a first line ${BEGIN}`;
  if (first.startsWith(`${KEY_TYPE} `)) {
    return new FormatError('ssh-key', 'this is the public half of a key', {
      where,
      expected: 'its private half',
      remedy: 'Give the file beside it, whose name does not end in .pub.',
    });
  }
  if (text.includes(BEGIN.slice(5, -5))) {
    return new FormatError('ssh-key', 'the key has lost its line breaks, or has something before it', {
      where,
      expected,
      remedy:
        'Set it from the file, not by copy and paste: fw key export NAME | gh secret set HEARTH_SIGNING_KEY',
    });
  }
  return new FormatError('ssh-key', 'this is not an OpenSSH private key', { where, expected });
}

/** What is wrong inside of a key is known by its byte: which key, and what to do, are said here. */
function naming<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormatError) || error.remedy !== undefined) throw error;
    const { code, message, expected } = error;
    throw new FwError(code, message, {
      where,
      ...(expected ? { expected } : {}),
      remedy: 'Export the key again where it is whole: fw key export NAME > FILE',
      cause: error,
    });
  }
}

function locked(where: string): FwError {
  return new FwError('key-encrypted', `${where} is protected by a passphrase, which fw never asks for`, {
    where,
    remedy: `Hand the key to ssh-agent (\`ssh-add ${where}\`) and build again: fw signs through the agent.`,
  });
}

/** RFC 8410's PKCS #8 wrapping of a seed, which is how OpenSSL takes one without its public half. */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

function keyFromSeed(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: 'der', type: 'pkcs8' });
}

function publicHalf(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url');
}
