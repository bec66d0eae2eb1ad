import { file, insert } from '../../src/build/tree.ts';
import type { DirNode, FileNode } from '../../src/formats/tree.ts';

export const HEARTHD = 'usr/lib/hearth/hearthd.mjs';

/** The entries of the folder that a path lies in. */
export function folderOf(root: DirNode, path: string): DirNode['entries'] {
  let at: DirNode = root;
  for (const part of path.split('/').slice(0, -1)) {
    const next = at.entries.get(part);
    if (next?.type !== 'dir') throw new Error(`no folder ${part} of ${path}`);
    at = next;
  }
  return at.entries;
}

export function fileAt(root: DirNode, path: string): FileNode {
  const node = folderOf(root, path).get(path.split('/').at(-1) ?? '');
  if (node?.type !== 'file') throw new Error(`no file ${path}`);
  return node;
}

/** Has a module do something before all else. */
export async function prepend(root: DirNode, path: string, text: string): Promise<void> {
  const node = fileAt(root, path);
  insert(root, path, file(Buffer.concat([Buffer.from(text), await node.content.read()]), node.mode));
}
