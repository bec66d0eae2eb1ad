import { FwError } from '../../errors.ts';
import type { DirNode, FileNode } from '../../formats/tree.ts';
import type { Cache } from '../cache.ts';
import type { OnProgress } from '../progress.ts';
import type { Sources } from '../sources/index.ts';
import { cachedNode, fetchNode } from '../sources/node-package.ts';
import { prepareSystem, systemIsCached } from '../system/index.ts';
import { pickNode } from '../system/node.ts';
import type { PickedFile } from '../system/picks.ts';
import type { LoadedTarget } from '../targets.ts';
import { directory, file, insert, walk } from '../tree.ts';

const PROGRAM = 'usr/bin/node';
const LICENCE = 'usr/share/doc/nodejs/copyright';

export interface PinnedNode {
  program: FileNode;
  licence: FileNode;
}

/**
 * The Node that a board's lock pins, stripped. Out of a system that was built already, where there is one: it is the same
 * file, and unpacked; else out of Node's npm package. A server needs neither kernel nor boot loader.
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
  const { lock, target } = loaded;
  tell({ step: `fetching ${lock.node.package}` });
  const tar = sources.offline ? await cachedNode(lock.node, cache) : await fetchNode(lock.node, cache);
  if (!tar) throw notHere(loaded);
  const root = directory();
  for (const picked of await pickNode(lock, target.arch, tar)) place(root, picked);
  return { program: fileAt(root, PROGRAM), licence: fileAt(root, LICENCE) };
}

function place(root: DirNode, picked: PickedFile): void {
  if (picked.type === 'file') insert(root, picked.path, file(picked.bytes, picked.mode));
}

function fileAt(root: DirNode, path: string): FileNode {
  for (const [at, node] of walk(root)) if (at === path && node.type === 'file') return node;
  throw new Error(`${path} is not in the system`);
}

function notHere({ lock }: LoadedTarget): FwError {
  const { package: name, version } = lock.node;
  return new FwError('node-unavailable', `${name}@${version} is not on this machine`, {
    where: `${name}@${version}`,
    expected: 'it in the cache, since nothing may be fetched',
    remedy: 'Run the command once without --offline and HEARTH_OFFLINE.',
  });
}
