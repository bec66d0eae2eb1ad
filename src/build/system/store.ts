import { FwError } from '../../errors.ts';
import type { Content, DirNode, TreeNode } from '../../formats/tree.ts';
import type { Cache } from '../cache.ts';
import { directory, insert, walk } from '../tree.ts';

/** A system in the cache: one index, and each distinct file's bytes once, by their hash. */

const FILES = 'files';

interface StoredContent {
  size: number;
  sha256: string;
}
type StoredNode = { path: string; mode: number; uid: number; gid: number } & (
  | ({ type: 'file' } & StoredContent)
  | { type: 'dir' }
  | { type: 'symlink'; target: string }
);

export interface StoredSystem {
  root: StoredNode[];
  parts: Record<string, StoredContent>;
}

/** Keeps the bytes of every file of a tree, and of the named parts, and returns their index. */
export async function storeSystem(
  root: DirNode,
  parts: Map<string, Content>,
  cache: Cache,
): Promise<StoredSystem> {
  const nodes: StoredNode[] = [];
  for (const [path, node] of walk(root)) nodes.push(await storeNode(path, node, cache));
  const stored: StoredSystem = { root: nodes, parts: {} };
  for (const [name, content] of parts) stored.parts[name] = await storeContent(content, cache);
  return stored;
}

async function storeNode(path: string, node: TreeNode, cache: Cache): Promise<StoredNode> {
  const { mode, uid, gid } = node;
  if (node.type === 'dir') return { path, mode, uid, gid, type: 'dir' };
  if (node.type === 'symlink') return { path, mode, uid, gid, type: 'symlink', target: node.target };
  if (node.type === 'file')
    return { path, mode, uid, gid, type: 'file', ...(await storeContent(node.content, cache)) };
  throw new Error(`${path}: systems hold no device nodes`);
}

async function storeContent(content: Content, cache: Cache): Promise<StoredContent> {
  const { size, sha256 } = content;
  if (!(await cache.has(FILES, sha256, size))) await cache.put(FILES, sha256, await content.read());
  return { size, sha256 };
}

/** The tree and parts of a stored system, its files unread; undefined when any of them is gone from the cache, or torn. */
export async function openSystem(
  stored: StoredSystem,
  cache: Cache,
): Promise<{ root: DirNode; parts: Map<string, Content> } | undefined> {
  const root = directory();
  const sizes = new Map<string, number>();
  const content = ({ size, sha256 }: StoredContent): Content => {
    sizes.set(sha256, size);
    return { size, sha256, read: () => readStored(sha256, cache) };
  };
  for (const node of stored.root) {
    const { path, mode, uid, gid } = node;
    if (node.type === 'dir') insert(root, path, { ...directory(mode), uid, gid });
    else if (node.type === 'symlink')
      insert(root, path, { type: 'symlink', mode, uid, gid, target: node.target });
    else insert(root, path, { type: 'file', mode, uid, gid, content: content(node) });
  }
  const parts = new Map(Object.entries(stored.parts).map(([name, part]) => [name, content(part)]));
  const present = await Promise.all([...sizes].map(([hash, size]) => cache.has(FILES, hash, size)));
  return present.every(Boolean) ? { root, parts } : undefined;
}

async function readStored(sha256: string, cache: Cache): Promise<Uint8Array> {
  const bytes = await cache.get(FILES, sha256);
  if (bytes) return bytes;
  throw new FwError(
    'cache-damaged',
    `a file of the system is damaged in the cache; the damaged copy was removed`,
    {
      where: cache.path(FILES, sha256),
      remedy: 'Run the command again: the system is then made anew.',
    },
  );
}
