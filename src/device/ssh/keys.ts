import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FwError } from '../../errors.ts';
import { describe, type Exec } from '../exec.ts';
import type { DeviceIdentity } from '../identity.ts';
import { authorizedLines } from './operator-keys.ts';

export interface SshOptions {
  /** Where the SSH daemon looks; in memory, for nobody but root. */
  folder: string;
  dropbearkey: string;
  /** The firmware's, lines of OpenSSH. */
  authorizedKeys: readonly string[];
}

/**
 * Puts the daemon's files where heart waits for them: who may log in, and last the host key. The host key is made once, and
 * is the same after every update and factory reset. Where nobody may log in there is no daemon. The daemon reads who may log in
 * at every login: called again, it is told of a change.
 */
export async function openSsh(
  device: DeviceIdentity,
  options: SshOptions,
  exec: Exec,
): Promise<'open' | 'closed'> {
  const { folder } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const keys = authorizedLines(options.authorizedKeys, await device.read());
  if (keys.length === 0) return 'closed';
  const { hostKey = '' } = await device.change(async (identity) => {
    if (identity.hostKey !== undefined) return identity;
    return { ...identity, hostKey: await made(options, exec) };
  });
  put(join(folder, 'authorized_keys'), keys.map((key) => `${key}\n`).join(''));
  put(join(folder, 'host_key'), Buffer.from(hostKey, 'base64'));
  return 'open';
}

/** @throws FwError `host-key-failed` */
async function made({ folder, dropbearkey }: SshOptions, exec: Exec): Promise<string> {
  const path = join(folder, 'host_key.made');
  // Of a hearthd that was killed here: dropbearkey does not overwrite.
  rmSync(path, { force: true });
  const result = await exec(dropbearkey, ['-t', 'ed25519', '-f', path], { timeoutMs: 60_000 });
  if (result.code !== 0)
    throw new FwError('host-key-failed', `no host key could be made: ${describe('dropbearkey', result)}`);
  const hostKey = readFileSync(path).toString('base64');
  rmSync(path);
  return hostKey;
}

function put(path: string, content: string | Uint8Array): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
