import { createHash } from 'node:crypto';
import type { Content, DirNode, FileNode, SymlinkNode, TreeNode } from '../formats/tree.ts';

/** Helpers that make and change file trees. Everything belongs to root unless it says otherwise. */

export function directory(mode = 0o755): DirNode {
  return { type: 'dir', mode, uid: 0, gid: 0, entries: new Map() };
}

export function symlink(target: string): SymlinkNode {
  return { type: 'symlink', mode: 0o777, uid: 0, gid: 0, target };
}

export function file(bytes: Uint8Array | string, mode = 0o644): FileNode {
  return {
    type: 'file',
    mode,
    uid: 0,
    gid: 0,
    content: inMemory(typeof bytes === 'string' ? Buffer.from(bytes) : bytes),
  };
}

export function inMemory(bytes: Uint8Array): Content {
  let sha256: string | undefined;
  return {
    size: bytes.length,
    get sha256() {
      sha256 ??= createHash('sha256').update(bytes).digest('hex');
      return sha256;
    },
    read: () => Promise.resolve(bytes),
  };
}

/** Puts a node at a path, making the folders above it. Replaces what was there. */
export function insert(root: DirNode, path: string, node: TreeNode): void {
  const parts = path.split('/').filter(Boolean);
  const name = parts.pop();
  if (!name) throw new Error(`not a path below the root: '${path}'`);
  let at = root;
  for (const part of parts) {
    const next = at.entries.get(part);
    if (next?.type === 'dir') at = next;
    else if (next) throw new Error(`${path}: ${part} is a ${next.type}, not a folder`);
    else {
      const made = directory();
      at.entries.set(part, made);
      at = made;
    }
  }
  at.entries.set(name, node);
}

/** Every node below a folder, parents first, names in byte order; paths have no leading slash. */
export function* walk(dir: DirNode, prefix = ''): Generator<[path: string, node: TreeNode]> {
  const names = [...dir.entries.keys()].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const name of names) {
    const node = dir.entries.get(name);
    if (!node) continue;
    yield [prefix + name, node];
    if (node.type === 'dir') yield* walk(node, `${prefix}${name}/`);
  }
}

/** A hash of everything in a tree that a device can see. */
export function treeHash(dir: DirNode): string {
  const hash = createHash('sha256');
  for (const [path, node] of walk(dir)) {
    const what =
      node.type === 'file'
        ? node.content.sha256
        : node.type === 'symlink'
          ? node.target
          : node.type === 'dir'
            ? ''
            : `${node.major}:${node.minor}`;
    hash.update(`${path}\0${node.type}\0${node.mode}\0${node.uid}\0${node.gid}\0${what}\n`);
  }
  return hash.digest('hex');
}
