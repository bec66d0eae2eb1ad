import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cache } from '../../src/build/cache.ts';
import { integrityOf, sha256 } from '../../src/build/hash.ts';
import type { Lock, SystemArchive } from '../../src/build/lock.ts';
import { fetchPackage } from '../../src/build/sources/fetch.ts';
import { fetchNode } from '../../src/build/sources/node-package.ts';
import { tarballName } from '../../src/build/sources/system-archive.ts';
import { archiveTar, packArchive } from '../../src/build/system/archive.ts';
import { pickInputs, picksKey } from '../../src/build/system/inputs.ts';
import type { LoadedTarget } from '../../src/build/targets.ts';
import { writeWhole } from '../../src/build/whole-file.ts';
import { packageName, packageVersion, systemPackage } from './system-package.ts';

/** What a lock says of its archive, and where its tarball is, unless it is published. */
export interface Written {
  archive: SystemArchive;
  path: string;
}

/**
 * Writes the system archive of a lock, as an npm tarball.
 * @param before what the lock said of its archive until now
 */
export async function writeArchive(
  loaded: LoadedTarget,
  before: SystemArchive | undefined,
  cache: Cache,
  folder: string,
  tell: (text: string) => void,
): Promise<Written> {
  const { target, lock } = loaded;
  const inputs = await pickInputs(
    loaded,
    { package: (pkg) => fetchPackage(pkg, cache, () => {}), node: (node) => fetchNode(node, cache) },
    () => {},
  );
  const tar = await archiveTar(inputs);
  const content = sha256(tar);
  const picks = picksKey(target, lock);
  // The same files keep their version. What is published is never packed again: another zstd, or other words in the
  // README, would make other bytes of it, and registries and users have the first ones.
  const same = before?.content === content ? before : undefined;
  const path = same && join(folder, tarballName(same));
  if (same && path && (same.published || integrityOfFile(path) === same.integrity))
    return { archive: { ...same, picks }, path };

  const identity = same ?? { package: packageName(target), version: nextVersion(lock, before) };
  const { package: name, version } = identity;
  tell(`packing ${name} ${version}: about a minute`);
  const bytes = await packArchive(tar);
  const tarball = await systemPackage({ name, version }, loaded, inputs, bytes);
  const archive: SystemArchive = {
    package: name,
    version,
    integrity: integrityOf(tarball),
    published: false,
    size: bytes.length,
    sha256: sha256(bytes),
    content,
    picks,
  };
  const written = join(folder, tarballName(archive));
  await writeWhole(written, [tarball]);
  return { archive, path: written };
}

/** Only what is published has used its version up. */
function nextVersion(lock: Lock, before: SystemArchive | undefined): string {
  const first = packageVersion(lock, 0);
  const ofThisLock = before?.version.startsWith(first.replace(/0$/, ''));
  if (!before || !ofThisLock) return first;
  const revision = Number(before.version.split('.').at(-1));
  return packageVersion(lock, before.published ? revision + 1 : revision);
}

function integrityOfFile(path: string): string | undefined {
  try {
    return integrityOf(readFileSync(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
