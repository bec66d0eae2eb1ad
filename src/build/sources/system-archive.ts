import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { npmPack } from '../../../bin/pinned-node.js';
import type { Cache } from '../cache.ts';
import { sha256 } from '../hash.ts';
import type { SystemArchive } from '../lock.ts';
import { ifPresent } from '../present.ts';
import { writeWhole } from '../whole-file.ts';
import type { Sources } from './index.ts';

/** The archive's name inside its npm package. */
export const ARCHIVE_FILE = 'system.tar.zst';

/** What the README, the licences and the manifest of its npm package may take. */
const PACKAGE_OVERHEAD = 16 * 2 ** 20;

/** npm's own patience with a network that is not there is 70 s; here another source follows. */
const BRIEFLY = ['--fetch-retries=1', '--fetch-retry-mintimeout=1000'];

/** The archive, or why each place does not have it. */
export type Found = { bytes: Buffer } | { reasons: string[] };

/** A system archive that is on this machine: in the cache, in the folder of HEARTH_SYSTEMS, or installed by npm. */
export async function localArchive(archive: SystemArchive, cache: Cache, sources: Sources): Promise<Found> {
  const reasons: string[] = [];
  for (const look of [fromCache, fromFolder, fromNodeModules]) {
    const bytes = await look(archive, cache, sources).catch((error: Error) => error);
    if (bytes instanceof Error) reasons.push(bytes.message);
    else if (bytes && isLocked(bytes.content, archive)) return { bytes: bytes.content };
    else if (bytes) reasons.push(`${bytes.where}: this is not the archive that the lock names`);
  }
  return { reasons };
}

/**
 * The system archive as the user's own npm gets it, so that their registry, proxy and credentials apply; kept in
 * the cache. npm checks the package's integrity; what is used has the locked hash.
 */
export async function npmArchive(archive: SystemArchive, cache: Cache, sources: Sources): Promise<Found> {
  const name = `${archive.package}@${archive.version}`;
  const refused = sources.refused.get(name);
  if (refused) return { reasons: [refused] };
  try {
    const tarball = await npmPack(archive.package, archive.version, archive.integrity, BRIEFLY);
    const bytes = await fromTarball(tarball, archive);
    if (!isLocked(bytes, archive)) throw new Error(`${name}: its ${ARCHIVE_FILE} is not what the lock names`);
    await writeWhole(cachePath(archive, cache), [bytes]);
    return { bytes };
  } catch (error) {
    const reason = brief((error as Error).message);
    sources.refused.set(name, reason);
    return { reasons: [reason] };
  }
}

/** Of all that npm says, what it was: the code, and the line that explains it. */
function brief(message: string): string {
  return message
    .split('\n')
    .slice(0, 2)
    .map((line) => line.replace(/npm error (code )?/, ''))
    .join(': ');
}

type Look = (
  archive: SystemArchive,
  cache: Cache,
  sources: Sources,
) => Promise<{ where: string; content: Buffer } | undefined>;

const fromCache: Look = async (archive, cache) => {
  const where = cachePath(archive, cache);
  const content = await readFile(where).catch(ifPresent);
  if (!content) return undefined;
  await cache.used('downloads', archive.sha256);
  return { where, content };
};

const fromFolder: Look = async (archive, _cache, { systemsFolder }) => {
  if (!systemsFolder) return undefined;
  const where = join(systemsFolder, tarballName(archive));
  const tarball = await readFile(where).catch(ifPresent);
  if (!tarball) throw new Error(`HEARTH_SYSTEMS: there is no ${where}`);
  try {
    return { where, content: await fromTarball(tarball, archive) };
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`);
  }
};

const fromNodeModules: Look = async (archive, _cache, { projectDir }) => {
  for (const from of [...(projectDir ? [join(projectDir, 'package.json')] : []), import.meta.filename]) {
    const manifest = resolveFrom(from, `${archive.package}/package.json`);
    if (!manifest) continue;
    const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version?: string };
    if (version !== archive.version)
      throw new Error(`${dirname(manifest)} is version ${version}; the lock names ${archive.version}`);
    const where = join(dirname(manifest), ARCHIVE_FILE);
    return { where, content: await readFile(where) };
  }
  return undefined;
};

function resolveFrom(file: string, request: string): string | undefined {
  try {
    return createRequire(file).resolve(request);
  } catch {
    return undefined; // not installed: what this function tells
  }
}

/** As `npm pack` names it. */
export function tarballName({ package: name, version }: SystemArchive): string {
  return `${name}-${version}.tgz`;
}

async function fromTarball(tarball: Uint8Array, archive: SystemArchive): Promise<Buffer> {
  const tar = await promisify(gunzip)(tarball, { maxOutputLength: archive.size + PACKAGE_OVERHEAD });
  const wanted = `package/${ARCHIVE_FILE}`;
  const [entry] = await unpackTar(tar, { strict: true, filter: ({ name }) => name === wanted });
  if (!entry?.data) throw new Error(`it has no ${wanted}`);
  return Buffer.from(entry.data.buffer, entry.data.byteOffset, entry.data.byteLength);
}

function isLocked(bytes: Uint8Array, archive: SystemArchive): boolean {
  return bytes.length === archive.size && sha256(bytes) === archive.sha256;
}

function cachePath(archive: SystemArchive, cache: Cache): string {
  return cache.path('downloads', archive.sha256);
}
