import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { SystemArchive } from '../../src/build/lock.ts';

/** Asks the maintainer's own registry; undefined when it does not have the version. */
async function registryIntegrity({ package: name, version }: SystemArchive): Promise<string | undefined> {
  const args = ['view', `${name}@${version}`, 'dist.integrity', '--loglevel=error'];
  try {
    return (await promisify(execFile)('npm', args)).stdout.trim() || undefined;
  } catch (error) {
    if (String((error as { stderr?: string }).stderr).includes('E404')) return undefined;
    throw error;
  }
}

/** Why builds must not ask registries for an archive yet; undefined when the registry has exactly this one. */
export async function notPublished(archive: SystemArchive): Promise<string | undefined> {
  const there = await registryIntegrity(archive);
  if (there === archive.integrity) return undefined;
  const name = `${archive.package}@${archive.version}`;
  return there
    ? `the registry has another ${name}: ${there}, and the lock says ${archive.integrity}`
    : `the registry has no ${name}: npm publish its .tgz first`;
}
