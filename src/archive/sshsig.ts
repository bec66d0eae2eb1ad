import { createHash, createPublicKey, verify as verifyEd25519 } from 'node:crypto';
import { FormatError, FwError } from '../errors.ts';
import { checkKeyType, KEY_TYPE, type PublicKey, parsePublicKeyBlob } from './public-key.ts';
import { WireReader, wireString, wireUint32 } from './ssh-wire.ts';

/**
 * Signatures as `ssh-keygen -Y sign` makes them (PROTOCOL.sshsig of OpenSSH), in their armored form. One
 * namespace, one hash, one kind of key; and one spelling: whatever is not exactly what OpenSSH itself would have
 * written for the same signature is refused, so that no byte of a signature is free to change.
 */
export const SIGNATURE_NAMESPACE = 'hearth-firmware';
export const HASH_ALGORITHM = 'sha512';
export const MAX_SIGNATURE_SIZE = 16 * 1024;

const BEGIN = '-----BEGIN SSH SIGNATURE-----';
const END = '-----END SSH SIGNATURE-----';
const MAGIC = 'SSHSIG';
const VERSION = 1;
/** ssh-keygen breaks lines here. */
const LINE = 70;
const ED25519_SIGNATURE_SIZE = 64;

export interface Signature {
  key: PublicKey;
  /** RFC 8032's 64 bytes, over `signedData(message)`. */
  bytes: Uint8Array;
}

/** What the key really signs: the namespace keeps signatures made for other purposes out. */
export function signedData(message: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(MAGIC, 'latin1'),
    wireString(SIGNATURE_NAMESPACE),
    wireString(''),
    wireString(HASH_ALGORITHM),
    wireString(createHash(HASH_ALGORITHM).update(message).digest()),
  ]);
}

export function armorSignature(signature: Signature): Buffer {
  const blob = Buffer.concat([
    Buffer.from(MAGIC, 'latin1'),
    wireUint32(VERSION),
    wireString(signature.key.blob),
    wireString(SIGNATURE_NAMESPACE),
    wireString(''),
    wireString(HASH_ALGORITHM),
    wireString(Buffer.concat([wireString(KEY_TYPE), wireString(signature.bytes)])),
  ]);
  const lines = blob.toString('base64').match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return Buffer.from(`${[BEGIN, ...lines, END].join('\n')}\n`, 'latin1');
}

/**
 * @throws FwError `bad-ssh-signature`; `fw-signature-namespace`, `fw-signature-hash` for signatures made for
 * something else or in another way; `key-type-unsupported`
 */
export function parseSignature(armored: Uint8Array): Signature {
  const text = Buffer.from(armored.buffer, armored.byteOffset, armored.byteLength).toString('latin1');
  const base64 = /^-----BEGIN SSH SIGNATURE-----\n([A-Za-z0-9+/=\n]+)\n-----END SSH SIGNATURE-----\n$/.exec(
    text,
  )?.[1];
  if (armored.length > MAX_SIGNATURE_SIZE || base64 === undefined) {
    throw new FormatError('ssh-signature', 'not an armored SSH signature', { expected: BEGIN });
  }
  const reader = new WireReader('ssh-signature', Buffer.from(base64, 'base64'));
  if (reader.bytes(MAGIC.length, 'the magic').toString('latin1') !== MAGIC) reader.fail(`expected ${MAGIC}`);
  const version = reader.uint32('the version');
  if (version !== VERSION) reader.fail(`version ${version}, expected ${VERSION}`);
  const keyBlob = reader.string('the public key');
  const namespace = reader.text('the namespace');
  const reserved = reader.string('the reserved field');
  const hash = reader.text('the hash algorithm');
  const inner = new WireReader('ssh-signature', reader.string('the signature'));
  reader.end('the signature');

  const key = parsePublicKeyBlob(keyBlob, 'the signing key');
  if (namespace !== SIGNATURE_NAMESPACE) {
    throw new FwError('fw-signature-namespace', `the signature was made for ${JSON.stringify(namespace)}`, {
      expected: SIGNATURE_NAMESPACE,
      remedy: `Sign with \`ssh-keygen -Y sign -n ${SIGNATURE_NAMESPACE}\`.`,
    });
  }
  if (hash !== HASH_ALGORITHM) {
    throw new FwError('fw-signature-hash', `the signature uses the hash ${JSON.stringify(hash)}`, {
      expected: HASH_ALGORITHM,
    });
  }
  if (reserved.length > 0) reader.fail('the reserved field is not empty');
  checkKeyType(inner.text('the type of the signature'), 'the signature');
  const bytes = inner.string('the signature');
  inner.end('the signature');
  if (bytes.length !== ED25519_SIGNATURE_SIZE)
    inner.fail(`${bytes.length} bytes, expected ${ED25519_SIGNATURE_SIZE}`);
  const signature = { key, bytes };
  if (!armorSignature(signature).equals(armored)) {
    reader.fail(`spelled differently from what ssh-keygen writes (lines of ${LINE}, ${BEGIN} … ${END})`);
  }
  return signature;
}

/** Whether the signature is the key's, over this message. */
export function signatureFits(message: Uint8Array, signature: Signature): boolean {
  const x = signature.key.raw.toString('base64url');
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    return verifyEd25519(null, signedData(message), key, signature.bytes);
  } catch {
    // OpenSSL throws on 32 bytes that are no point of the curve: such a key has signed nothing.
    return false;
  }
}
