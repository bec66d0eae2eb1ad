import { FwError } from '../errors.ts';
import { isExampleKey } from './example-key.ts';
import { fingerprint, type PublicKey, parsePublicKey, sameKey } from './public-key.ts';

export interface KeyFacts {
  /** Who signed, or is about to sign. */
  signer: PublicKey;
  /** The keys whose updates the firmware accepts once it runs. */
  trustedKeys: readonly string[];
  /** What the manifest says of itself. */
  exampleKey: boolean;
}

/**
 * The rules that tie a firmware to its keys, the same when building and when reading: it trusts at least one key
 * and the one that signed it (else its first update would be its last); and the publicly known example key is
 * used alone and openly, or not at all.
 * @throws FwError `fw-no-trusted-keys`, `fw-example-key-mixed`, `fw-example-key-hidden`, `fw-example-key-claimed`,
 * `fw-signer-not-trusted-by-itself`, and those of `parsePublicKey`
 */
export function checkKeys({ signer, trustedKeys, exampleKey }: KeyFacts): void {
  const keys = parseTrustedKeys(trustedKeys);
  const signedByExample = isExampleKey(signer);
  const trustsExample = keys.some(isExampleKey);
  if (trustsExample !== signedByExample) throw mixed(signedByExample, keys.length);
  if (signedByExample && !exampleKey) {
    throw new FwError(
      'fw-example-key-hidden',
      'the firmware is signed by the example key and does not say so',
      {
        where: 'manifest.json, exampleKey',
        expected: 'exampleKey: true',
      },
    );
  }
  if (!signedByExample && exampleKey) {
    throw new FwError('fw-example-key-claimed', 'the manifest says example key, but another key has signed', {
      where: 'manifest.json, exampleKey',
      expected: 'exampleKey: false',
    });
  }
  if (!keys.some((key) => sameKey(key, signer))) {
    throw new FwError(
      'fw-signer-not-trusted-by-itself',
      `the firmware is signed by ${fingerprint(signer)}, which it does not trust: it could never be updated with that key`,
      {
        where: 'manifest.json, trustedKeys',
        expected: `one of ${keys.map(fingerprint).join(', ')}`,
        remedy:
          'List the public half of the signing key among the update keys. To change keys, first ship a release that trusts both.',
      },
    );
  }
}

/**
 * A list of keys to trust, parsed. An empty list, or one that mixes the example key with others, is refused: no
 * key configured means refuse, not accept.
 */
export function parseTrustedKeys(lines: readonly string[]): PublicKey[] {
  const keys = lines.map(parsePublicKey);
  if (keys.length === 0) {
    throw new FwError('fw-no-trusted-keys', 'no key is trusted, so no firmware can be', {
      expected: 'at least one ssh-ed25519 public key',
      remedy: "Put the public half of your signing key into fw.config.ts, as one of the update's keys.",
    });
  }
  if (keys.some(isExampleKey) && keys.length > 1) throw mixed(true, keys.length);
  return keys;
}

function mixed(signedByExample: boolean, count: number): FwError {
  const message =
    count > 1
      ? 'the example key is listed beside other keys'
      : signedByExample
        ? 'the example key signs firmware that trusts another key'
        : 'the firmware trusts the example key, but another key signs it';
  return new FwError('fw-example-key-mixed', `${message}; everybody has the example key`, {
    expected: 'the example key as the only trusted key and the signing key, or not at all',
    remedy: 'Remove the example key, and sign with your own.',
  });
}
