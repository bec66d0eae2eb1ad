import type { DirNode, TreeNode } from '../tree.ts';
import { LIMITS, MAX_U16, MAX_U32 } from './constants.ts';
import { squashfsError } from './error.ts';

/** A node of the tree with its name, its number and its neighbours. */
export interface Item {
  /** From '/', for errors and for reports. */
  path: string;
  name: Buffer;
  node: TreeNode;
  /** Inode number, from 1, in the order of the walk. */
  number: number;
  /** The root has none. */
  parent: Item | undefined;
  /** Sorted by name, bytewise, as the kernel's look-up expects. Empty unless a directory. */
  children: Item[];
}

/** Every node, depth first in bytewise name order, the root first; each checked against what the format can say. */
export function walk(root: DirNode): Item[] {
  const items: Item[] = [];
  const top: Item = {
    path: '/',
    name: Buffer.alloc(0),
    node: root,
    number: 0,
    parent: undefined,
    children: [],
  };
  const pending = [{ item: top, pathBytes: 0 }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { item, pathBytes } = next;
    items.push(item);
    item.number = items.length;
    checkNode(item);
    if (item.node.type !== 'dir') continue;
    for (const [name, node] of item.node.entries) item.children.push(childOf(item, name, node));
    item.children.sort((a, b) => Buffer.compare(a.name, b.name));
    for (const child of item.children.toReversed()) {
      const bytes = pathBytes + 1 + child.name.length;
      if (bytes > LIMITS.path)
        throw squashfsError(`a path of ${bytes} bytes`, {
          where: `${child.path.slice(0, 100)}…`,
          expected: `at most ${LIMITS.path} bytes, the longest path that Linux opens`,
        });
      pending.push({ item: child, pathBytes: bytes });
    }
  }
  return items;
}

function childOf(parent: Item, name: string, node: TreeNode): Item {
  const path = parent.path === '/' ? `/${name}` : `${parent.path}/${name}`;
  if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name))
    throw squashfsError(`${JSON.stringify(name)} is not a file name`, {
      where: path,
      expected: "one path component, not '.' or '..', without '/' and NUL",
    });
  const bytes = utf8(name, 'name', path);
  if (bytes.length > LIMITS.name)
    throw squashfsError(`a name of ${bytes.length} bytes`, {
      where: path,
      expected: `at most ${LIMITS.name} bytes`,
    });
  return { path, name: bytes, node, number: 0, parent, children: [] };
}

/** Half a surrogate pair would become U+FFFD, and two different names could become the same. */
function utf8(text: string, what: string, path: string): Buffer {
  if (!text.isWellFormed()) throw squashfsError(`a ${what} that is not well-formed Unicode`, { where: path });
  return Buffer.from(text, 'utf8');
}

function checkNode({ node, path }: Item): void {
  checkNumber('mode', node.mode, 0o7777, path);
  // The largest id is Linux's "no id" and cannot be given to a file.
  checkNumber('uid', node.uid, MAX_U32 - 1, path);
  checkNumber('gid', node.gid, MAX_U32 - 1, path);
  switch (node.type) {
    case 'dir':
      return;
    case 'file':
      checkNumber('size', node.content.size, Number.MAX_SAFE_INTEGER, path);
      if (!/^[0-9a-f]{64}$/.test(node.content.sha256))
        throw squashfsError(`content with the SHA-256 ${JSON.stringify(node.content.sha256)}`, {
          where: path,
          expected: '64 lower-case hexadecimal digits',
        });
      return;
    case 'symlink': {
      const { length } = utf8(node.target, 'symlink target', path);
      if (length === 0 || length > LIMITS.symlink || node.target.includes('\0'))
        throw squashfsError(
          `a symlink target of ${length} bytes${node.target.includes('\0') ? ' with a NUL' : ''}`,
          {
            where: path,
            expected: `1 to ${LIMITS.symlink} bytes without NUL`,
          },
        );
      return;
    }
    case 'char':
    case 'block':
      checkNumber('major number', node.major, LIMITS.major, path);
      checkNumber('minor number', node.minor, LIMITS.minor, path);
  }
}

function checkNumber(what: string, value: number, max: number, where: string): void {
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw squashfsError(`the ${what} ${value}`, { where, expected: `a whole number from 0 to ${max}` });
}

/** The id table: each user or group id once, in the order of the walk. */
export class Ids {
  readonly list: number[] = [];
  readonly #index = new Map<number, number>();

  constructor(items: readonly Item[]) {
    for (const { node, path } of items)
      for (const id of [node.uid, node.gid]) {
        if (this.#index.has(id)) continue;
        if (this.list.length === LIMITS.ids)
          throw squashfsError(`more than ${LIMITS.ids} distinct user and group ids`, { where: path });
        this.#index.set(id, this.list.push(id) - 1);
      }
  }

  encode(): Buffer {
    const out = Buffer.alloc(4 * this.list.length);
    for (const [i, id] of this.list.entries()) out.writeUInt32LE(id, 4 * i);
    return out;
  }

  indexOf(id: number): number {
    return this.#index.get(id) ?? MAX_U16;
  }
}
