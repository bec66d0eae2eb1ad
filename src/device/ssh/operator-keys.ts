import { createHash } from 'node:crypto';
import { WireReader } from '../../archive/ssh-wire.ts';
import { FwError } from '../../errors.ts';
import type { Identity } from '../../update/identity.ts';
import { LOGIN_KEY_TYPES } from '../../update/login-keys.ts';

/** A key that may log in to this device. */
export interface OperatorKey {
  /** As `ssh-keygen -l` shows it. */
  fingerprint: string;
  /** Of OpenSSH: type, Base64, comment. */
  line: string;
  /** `firmware`: in sshKeys of its fw.config.ts. `device`: given to this one device. */
  from: 'firmware' | 'device';
}

/** They have to fit into the identity's place on the disk, with room for what else is to come there. */
const MAX_KEYS = 32;
/** RSA of 4096 bits has 750. */
const MAX_LINE = 1024;

/** Whoever may log in, each once: the firmware's come first, for those nobody can remove here. */
export function operatorKeys(firmware: readonly string[], { operatorKeys }: Identity): OperatorKey[] {
  const all = [
    ...firmware.map((line) => ({ line, from: 'firmware' as const })),
    ...operatorKeys.map((line) => ({ line, from: 'device' as const })),
  ].map((key) => ({ fingerprint: fingerprintOf(key.line), ...key }));
  return all.filter(
    ({ fingerprint }, at) => all.findIndex((other) => other.fingerprint === fingerprint) === at,
  );
}

/**
 * @returns the same identity when the key may log in already
 * @throws FwError `bad-operator-key`, `too-many-keys`
 */
export function withKey(identity: Identity, firmware: readonly string[], text: string): Identity {
  const line = checkedLine(text);
  const all = operatorKeys(firmware, identity);
  if (all.some(({ fingerprint }) => fingerprint === fingerprintOf(line))) return identity;
  if (identity.operatorKeys.length >= MAX_KEYS)
    throw new FwError(
      'too-many-keys',
      `this device holds ${identity.operatorKeys.length} keys of its own already`,
      {
        expected: `at most ${MAX_KEYS}`,
        remedy: 'Remove one that is no longer used: key remove FINGERPRINT.',
      },
    );
  return { ...identity, operatorKeys: [...identity.operatorKeys, line] };
}

/**
 * @param which a fingerprint, or a comment that only one of them has
 * @throws FwError `no-such-operator-key`, `key-of-firmware`, `last-key`
 */
export function withoutKey(
  identity: Identity,
  firmware: readonly string[],
  which: string,
): { identity: Identity; removed: OperatorKey } {
  const all = operatorKeys(firmware, identity);
  const found = all.filter(({ fingerprint, line }) => fingerprint === which || commentOf(line) === which);
  const [removed, another] = found;
  if (!removed || another)
    throw new FwError(
      'no-such-operator-key',
      `${removed ? 'more than one key is' : 'no key is'} called ${which}`,
      {
        expected: all.map(({ fingerprint }) => fingerprint).join(', ') || 'a key; there is none',
        remedy: 'Name it by its fingerprint: key list.',
      },
    );
  if (removed.from === 'firmware')
    throw new FwError(
      'key-of-firmware',
      `the key ${which} is in the firmware, and would come back with every boot`,
      {
        where: removed.fingerprint,
        remedy: 'Take it out of sshKeys in fw.config.ts, and upload a firmware without it.',
      },
    );
  if (all.length === 1)
    throw new FwError('last-key', 'without this key nobody could log in to this device', {
      where: removed.fingerprint,
      expected: 'another key, of the firmware or of this device',
      remedy: 'Add the new one first: key add.',
    });
  const left = identity.operatorKeys.filter((line) => fingerprintOf(line) !== removed.fingerprint);
  return { identity: { ...identity, operatorKeys: left }, removed };
}

/** For authorized_keys. */
export function authorizedLines(firmware: readonly string[], identity: Identity): string[] {
  return operatorKeys(firmware, identity).map(({ line }) => line);
}

/**
 * With one space between its words, as the daemon and the rescue script expect them.
 * @throws FwError `bad-operator-key`: for options, too, which would be one more thing that may log in and do something else
 */
function checkedLine(text: string): string {
  const words = text.trim().split(/[ \t]+/);
  const [type = '', base64 = ''] = words;
  const line = words.join(' ');
  const bad = (why: string): FwError =>
    new FwError('bad-operator-key', `this is no public key that could log in: ${why}`, {
      expected: `a line of a .pub file of OpenSSH: ${LOGIN_KEY_TYPES.slice(0, 3).join(', ')} … BASE64 COMMENT`,
      remedy: 'Give it the file that ends in .pub: key add < ~/.ssh/id_ed25519.pub.',
    });
  if (line.includes('PRIVATE KEY')) throw bad('it is a private key, which nobody else should have');
  if (/\p{Cc}/u.test(line)) throw bad('it is more than one line');
  if (line.length > MAX_LINE) throw bad(`it is longer than ${MAX_LINE} characters`);
  if (!LOGIN_KEY_TYPES.includes(type)) throw bad(`its type is ${JSON.stringify(type.slice(0, 40))}`);
  const blob = Buffer.from(base64, 'base64');
  if (blob.length === 0 || blob.toString('base64') !== base64) throw bad('its second word is not Base64');
  try {
    if (new WireReader('ssh-key', blob).text('the type') === type) return line;
  } catch {
    // Said below.
  }
  throw bad('its two halves do not belong together');
}

/** Of a line that is what the build or `checkedLine` has let through. */
function fingerprintOf(line: string): string {
  const [, base64 = ''] = line.split(/[ \t]+/);
  const digest = createHash('sha256').update(Buffer.from(base64, 'base64')).digest('base64');
  return `SHA256:${digest.replace(/=+$/, '')}`;
}

export function commentOf(line: string): string {
  return line
    .split(/[ \t]+/)
    .slice(2)
    .join(' ');
}
