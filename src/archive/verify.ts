import { FwError } from '../errors.ts';
import { parseTrustedKeys } from './key-rules.ts';
import { fingerprint, type PublicKey, sameKey } from './public-key.ts';
import { parseSignature, signatureFits } from './sshsig.ts';

/**
 * Whose signature counts: a list of OpenSSH public keys; or `'self'`, whichever key the file itself says. `'self'`
 * shows that a file is whole and unaltered since somebody signed it, not who that was: for looking at files and
 * for making images on the developer's machine, never for installing an update.
 */
export type Trust = readonly string[] | 'self';

/**
 * Checks the signature over a manifest and says whose it is.
 * @param armored the content of `manifest.json.sig`
 * @throws FwError `fw-unsigned`, `fw-no-trusted-keys`, `fw-key-not-trusted`, `fw-signature-wrong`,
 * `fw-example-key-mixed`, and those of `parseSignature`
 */
export function verify(manifest: Uint8Array, armored: Uint8Array, trust: Trust): PublicKey {
  const trusted = trust === 'self' ? undefined : parseTrustedKeys(trust);
  if (armored.length === 0) {
    throw new FwError('fw-unsigned', 'the firmware is not signed: its signature is empty', {
      where: 'manifest.json.sig',
      expected: 'an SSH signature',
    });
  }
  const signature = parseSignature(armored);
  if (trusted && !trusted.some((key) => sameKey(key, signature.key))) {
    throw new FwError(
      'fw-key-not-trusted',
      `the firmware is signed by ${fingerprint(signature.key)}, which is not trusted`,
      {
        where: 'manifest.json.sig',
        expected: trusted.map(fingerprint).join(' or '),
        remedy:
          'Sign it with a key that the device trusts, or install a release first that trusts both keys.',
      },
    );
  }
  if (!signatureFits(manifest, signature)) {
    throw new FwError(
      'fw-signature-wrong',
      'the signature does not fit: the manifest was altered after signing',
      {
        where: 'manifest.json',
        expected: `what ${fingerprint(signature.key)} signed`,
        remedy: 'Fetch or build the file again.',
      },
    );
  }
  return signature.key;
}
