import { FwError } from '../../errors.ts';
import { megabytes } from '../../units.ts';
import type { Cache } from '../cache.ts';
import type { SystemArchive } from '../lock.ts';
import { cachedPackage, fetchPackage, type Progress } from '../sources/fetch.ts';
import type { Sources } from '../sources/index.ts';
import { type Missing, missingDownloads, nodeDownload } from '../sources/missing.ts';
import { cachedNode, fetchNode } from '../sources/node-package.ts';
import { localArchive, npmArchive, tarballName } from '../sources/system-archive.ts';
import type { LoadedTarget } from '../targets.ts';
import { readArchive } from './archive.ts';
import { type Downloads, pickInputs, picksKey, type SystemInputs } from './inputs.ts';

export interface Watcher {
  fetching: Progress;
  unpacking(name: string): void;
}

/**
 * The inputs of a system from the nearest source that has them: a system archive on this machine, packages in the
 * cache, the system archive by npm, Debian's mirrors. All give the same bytes. A source that fails is passed over; only
 * if the last one fails too are the reasons of all told.
 * @throws FwError `offline`; what the last source throws: `package-unavailable`, `no-mirror`, `node-unavailable`
 */
export async function obtainInputs(
  loaded: LoadedTarget,
  cache: Cache,
  sources: Sources,
  watcher: Watcher,
): Promise<SystemInputs> {
  const { lock } = loaded;
  const { archive, bytes, reasons } = await archiveHere(loaded, cache, sources);
  const unpack = (packed: Uint8Array): Promise<SystemInputs> => {
    watcher.unpacking(archive?.package ?? '');
    return readArchive(packed);
  };
  if (bytes) return unpack(bytes);
  const missing = await missingDownloads(lock, cache);
  if (missing.length > 0 && sources.offline) throw offlineError(loaded, missing, cache, archive, reasons);
  if (missing.length > 0 && archive?.published) {
    watcher.fetching(tarballName(archive), 0, archive.size);
    const found = await npmArchive(archive, cache, sources);
    if ('bytes' in found) return unpack(found.bytes);
    reasons.push(...found.reasons);
  }

  const lacking = (what: Missing): FwError => offlineError(loaded, [what], cache, archive, reasons);
  const downloads: Downloads = sources.offline
    ? {
        package: async (pkg) => (await cachedPackage(pkg, cache)) ?? Promise.reject(lacking(pkg)),
        node: async (node) => (await cachedNode(node, cache)) ?? Promise.reject(lacking(nodeDownload(node))),
      }
    : {
        package: (pkg) => fetchPackage(pkg, cache, watcher.fetching),
        node: (node) => fetchNode(node, cache),
      };
  try {
    return await pickInputs(loaded, downloads, (name) => watcher.unpacking(name));
  } catch (error) {
    throw withReasons(error, reasons, archive);
  }
}

export interface ArchiveHere {
  /** The locked archive, where it holds the files that the target takes. */
  archive?: SystemArchive;
  /** What it holds, where it is on this machine. */
  bytes?: Buffer;
  /** Why not, one for each place. */
  reasons: string[];
}

/** Looks for a target's system archive on this machine, and nowhere else. */
export async function archiveHere(
  { target, lock }: LoadedTarget,
  cache: Cache,
  sources: Sources,
): Promise<ArchiveHere> {
  const { archive } = lock;
  if (!archive) return { reasons: [] };
  // An edited target takes other files than its archive holds; what the maintainers publish fits.
  if (archive.picks !== picksKey(target, lock))
    return { reasons: [`${archive.package} was made for another list of files`] };
  const found = await localArchive(archive, cache, sources);
  return 'bytes' in found ? { archive, bytes: found.bytes, reasons: [] } : { archive, ...found };
}

/** The remedy of those who have no network; an infinitive's end, or nothing where there is no such archive. */
export function orPutArchive(archive: SystemArchive | undefined): string {
  return archive
    ? `, or put ${tarballName(archive)} (${megabytes(archive.size)}) into a folder and name the folder in HEARTH_SYSTEMS`
    : '';
}

/** All that is missing, not the first of it: who works offline wants to go online once. */
function offlineError(
  { target }: LoadedTarget,
  missing: Missing[],
  cache: Cache,
  archive: SystemArchive | undefined,
  reasons: string[],
): FwError {
  const lines = missing.map(({ name, version, size }) => `${name} ${version}  ${megabytes(size)}`);
  const total = megabytes(missing.reduce((sum, { size }) => sum + size, 0));
  return new FwError(
    'offline',
    `the build is offline, and the system of ${target.name} is not on this machine; missing are ${total}:\n  ` +
      [...lines, ...reasons.map((reason) => `(${reason})`)].join('\n  '),
    {
      where: cache.dir,
      expected: 'the packages of the system in the cache, or its system archive on this machine',
      remedy: `Build once for ${target.name} with a network, without --offline and HEARTH_OFFLINE${orPutArchive(archive)}.`,
    },
  );
}

const UNAVAILABLE = ['package-unavailable', 'no-mirror', 'node-unavailable'];

/** What the last source says, and why none of those before it was used. */
function withReasons(error: unknown, reasons: string[], archive: SystemArchive | undefined): unknown {
  if (!(error instanceof FwError) || !UNAVAILABLE.includes(error.code) || reasons.length === 0) return error;
  const { code, message, where, expected, remedy = '' } = error;
  const other = archive?.published
    ? ` Or put ${tarballName(archive)} into a folder, and name the folder in HEARTH_SYSTEMS.`
    : '';
  return new FwError(
    code,
    `${message}\nThe system archive could not be used either:\n  ${reasons.join('\n  ')}`,
    {
      ...(where ? { where } : {}),
      ...(expected ? { expected } : {}),
      remedy: `${remedy}${other}`.trim(),
      cause: error,
    },
  );
}
