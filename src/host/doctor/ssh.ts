import { findOnPath } from '../qemu/find.ts';
import { type Finding, note, ok } from './finding.ts';
import type { Host } from './host.ts';
import { howToInstall } from './install.ts';

export async function checkSsh(host: Host): Promise<Finding> {
  const path = await findOnPath('ssh', host.env.PATH ?? '');
  if (path) return ok('ssh', path);
  return note('ssh', 'there is no ssh, by which devices are reached', howToInstall('ssh', host));
}
