import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cache } from '../../src/build/cache.ts';
import { integrityOf, sha256 } from '../../src/build/hash.ts';
import type { Lock, SystemArchive } from '../../src/build/lock.ts';
import { fetchPackage } from '../../src/build/sources/fetch.ts';
import { fetchNode } from '../../src/build/sources/node-package.ts';
import { tarballName } from '../../src/build/sources/system-archive.ts';
import { archiveTar, packArchive } from '../../src/build/system/archive.ts';
import { pickInputs, picksKey, type SystemInputs } from '../../src/build/system/inputs.ts';
import type { LoadedTarget } from '../../src/build/targets.ts';
import { writeWhole } from '../../src/build/whole-file.ts';
import { packageName, packageVersion, systemPackage } from './system-package.ts';

/** What a lock says of its archive, and the tarball in the output folder that it says it of. */
export interface Written {
  archive: SystemArchive;
  path: string;
}

/**
 * Writes the system archive of a lock, as an npm tarball. One that the lock has already keeps its version, and is not
 * packed again where it lies in the folder.
 * @param before what the lock said until now
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
  if (before?.content === content) {
    const archive = { ...before, picks };
    const path = join(folder, tarballName(archive));
    if (integrityOfFile(path) !== archive.integrity) await repack(loaded, archive, inputs, tar, path, tell);
    return { archive, path };
  }
  const identity = { package: packageName(target), version: nextVersion(lock, before) };
  tell(`packing ${identity.package} ${identity.version}: about a minute`);
  const { bytes, tarball } = await pack(loaded, identity, inputs, tar);
  const archive: SystemArchive = {
    ...identity,
    integrity: integrityOf(tarball),
    published: false,
    size: bytes.length,
    sha256: sha256(bytes),
    content,
    picks,
  };
  const path = join(folder, tarballName(archive));
  await writeWhole(path, [tarball]);
  return { archive, path };
}

/** The tarball of an archive that is locked already. Other bytes would be another package under the same version. */
async function repack(
  loaded: LoadedTarget,
  archive: SystemArchive,
  inputs: SystemInputs,
  tar: Buffer,
  path: string,
  tell: (text: string) => void,
): Promise<void> {
  tell(`packing ${archive.package} ${archive.version}: about a minute`);
  const { tarball } = await pack(loaded, archive, inputs, tar);
  if (integrityOf(tarball) !== archive.integrity) {
    throw new Error(
      `${archive.package} ${archive.version} has the locked content, but not the locked bytes: another zstd or zlib ` +
        'packed it, or its README or licences are made differently. Remove `archive` from the lock for a new version.',
    );
  }
  await writeWhole(path, [tarball]);
}

async function pack(
  loaded: LoadedTarget,
  { package: name, version }: { package: string; version: string },
  inputs: SystemInputs,
  tar: Buffer,
): Promise<{ bytes: Buffer; tarball: Buffer }> {
  const bytes = await packArchive(tar);
  return { bytes, tarball: await systemPackage({ name, version }, loaded, inputs, bytes) };
}

function nextVersion(lock: Lock, before: SystemArchive | undefined): string {
  const first = packageVersion(lock, 0);
  const revision = before?.version.startsWith(first.replace(/0$/, ''))
    ? Number(before.version.split('.').at(-1)) + 1
    : 0;
  return packageVersion(lock, revision);
}

function integrityOfFile(path: string): string | undefined {
  try {
    return integrityOf(readFileSync(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
