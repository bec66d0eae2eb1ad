import { isExampleKey } from './example-key.ts';
import type { Manifest } from './manifest.ts';
import { fingerprint, parsePublicKey, sameKey } from './public-key.ts';

/** A key as people tell it from others. */
export interface KeyIdentity {
  /** As `ssh-keygen -l` shows it. */
  fingerprint: string;
  /** What its line says of it, which nothing vouches for. */
  comment: string;
  /** Whether it is the published example key, with which everybody can sign. */
  exampleKey: boolean;
}

/** @param line of an OpenSSH public key file */
export function identifyKey(line: string): KeyIdentity {
  const key = parsePublicKey(line);
  return {
    fingerprint: fingerprint(key),
    comment: key.line.split(' ').slice(2).join(' '),
    exampleKey: isExampleKey(key),
  };
}

/** Who signed a firmware. A signature has no comment; the manifest lists the key, with the one it has there. */
export function identifySigner({ manifest, signer }: { manifest: Manifest; signer: string }): KeyIdentity {
  const key = parsePublicKey(signer);
  const listed = manifest.trustedKeys.find((line) => sameKey(parsePublicKey(line), key));
  return identifyKey(listed ?? signer);
}
