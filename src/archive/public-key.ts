import { createHash } from 'node:crypto';
import { FormatError, FwError } from '../errors.ts';
import { WireReader, wireString } from './ssh-wire.ts';

export const KEY_TYPE = 'ssh-ed25519';
export const RAW_KEY_SIZE = 32;
/** Longer lines than any real key with a comment. */
const MAX_LINE = 1024;

/** An OpenSSH Ed25519 public key (RFC 8709). */
export interface PublicKey {
  /** The key as SSH sends it: string "ssh-ed25519", string of 32 bytes. Two keys are the same when this is. */
  readonly blob: Buffer;
  /** RFC 8032's 32 bytes. */
  readonly raw: Buffer;
  /** `ssh-ed25519 BASE64`, and the comment if there is one: a line of an `id_ed25519.pub`. */
  readonly line: string;
}

export function publicKeyFromRaw(raw: Uint8Array, comment = ''): PublicKey {
  if (raw.length !== RAW_KEY_SIZE) {
    throw new FormatError('ssh-key', `an Ed25519 key has ${RAW_KEY_SIZE} bytes, not ${raw.length}`);
  }
  const blob = Buffer.concat([wireString(KEY_TYPE), wireString(raw)]);
  const line = `${KEY_TYPE} ${blob.toString('base64')}${comment ? ` ${comment}` : ''}`;
  return { blob, raw: Buffer.from(raw), line };
}

/**
 * One line of an OpenSSH public key file.
 * @throws FwError `key-type-unsupported` for other kinds of key, `bad-ssh-key` for what is no key.
 */
export function parsePublicKey(line: string): PublicKey {
  const words = line.trim().split(/[ \t]+/);
  const [type = '', base64 = ''] = words;
  if (line.length > MAX_LINE || /[\p{Cc}]/u.test(line.trim().replaceAll('\t', ' '))) {
    throw new FormatError('ssh-key', 'a public key is one line of text', {
      expected: `at most ${MAX_LINE} characters, none of them control characters`,
    });
  }
  checkKeyType(type, 'the public key');
  const blob = Buffer.from(base64, 'base64');
  if (blob.toString('base64') !== base64) {
    throw new FormatError('ssh-key', `${JSON.stringify(base64.slice(0, 16))}… is not base64`);
  }
  return parsePublicKeyBlob(blob, 'the public key', words.slice(2).join(' '));
}

/** A key as SSH sends it. `what` names it in errors. */
export function parsePublicKeyBlob(blob: Uint8Array, what: string, comment = ''): PublicKey {
  const reader = new WireReader('ssh-key', blob);
  checkKeyType(reader.text(`the type of ${what}`), what);
  const raw = reader.string(what);
  reader.end(what);
  return publicKeyFromRaw(raw, comment);
}

/** One kind of key, so that there is one kind of mistake. Others are refused by their name. */
export function checkKeyType(type: string, what: string): void {
  if (type === KEY_TYPE) return;
  const known = /^(sk-)?(ssh|ecdsa)-[\w@.-]{1,60}$/.test(type);
  if (!known)
    throw new FormatError('ssh-key', `${what} is not an OpenSSH key`, { expected: `${KEY_TYPE} …` });
  throw new FwError('key-type-unsupported', `${what} is of type ${type}; Hearth knows ${KEY_TYPE} only`, {
    expected: KEY_TYPE,
    remedy: 'Make a key for firmware with `ssh-keygen -t ed25519`.',
  });
}

export function sameKey(a: PublicKey, b: PublicKey): boolean {
  return a.blob.equals(b.blob);
}

/** As `ssh-keygen -l` shows it: `SHA256:…`. */
export function fingerprint(key: PublicKey): string {
  return `SHA256:${createHash('sha256').update(key.blob).digest('base64').replace(/=+$/, '')}`;
}
