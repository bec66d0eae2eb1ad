import type { BlockCompressor } from './blocks.ts';
import type { DataArea } from './data.ts';
import { type Entry, listing } from './directory.ts';
import { squashfsError } from './error.ts';
import { deviceInode, dirInode, fileInode, type InodeHead, symlinkInode } from './inode.ts';
import { MetadataTable, type Position } from './metadata.ts';
import type { Ids, Item } from './walk.ts';

export interface Tables {
  inodes: Uint8Array[];
  directories: Uint8Array[];
  /** The root's inode: offset in the inode table of its metadata block, and the byte in that. */
  root: { start: number; offset: number };
}

/**
 * The inode table and the directory table. Each refers to the other's stored offsets, so a directory is written when
 * all that it holds is. What is not a directory refers to nothing and goes first: its blocks are compressed together.
 */
export async function writeTables(
  items: readonly Item[],
  ids: Ids,
  data: DataArea,
  mtime: number,
  compressor: BlockCompressor,
): Promise<Tables> {
  const inodes = new MetadataTable(compressor);
  const directories = new MetadataTable(compressor);
  const positions = new Map<Item, Position>();
  const headOf = ({ node, number }: Item): InodeHead => ({
    mode: node.mode,
    uid: ids.indexOf(node.uid),
    gid: ids.indexOf(node.gid),
    mtime,
    number,
  });
  const locate = (item: Item) => {
    const position = positions.get(item);
    if (position === undefined) throw new Error(`squashfs: ${item.path} has no inode yet`);
    return { start: inodes.startOf(position.block), offset: position.offset };
  };

  for (const item of items)
    if (item.node.type !== 'dir') positions.set(item, inodes.append(leafInode(item, headOf(item), data)));

  const topDown = items.filter(({ node }) => node.type === 'dir');
  for (const item of topDown.toReversed()) {
    await inodes.settle();
    const entries = item.children.map(
      (child): Entry => ({ name: child.name, type: child.node.type, inode: child.number, ...locate(child) }),
    );
    const { bytes, index } = listing(entries, directories.position.offset, item.path);
    const { block, offset } = directories.append(bytes);
    await directories.settle();
    const inode = dirInode(headOf(item), {
      start: directories.startOf(block),
      offset,
      listing: bytes.length,
      links: 2 + item.children.filter(({ node }) => node.type === 'dir').length,
      parent: item.parent?.number ?? items.length + 1,
      index: index.map((entry) => ({ ...entry, start: directories.startOf(block + entry.block) })),
    });
    positions.set(item, inodes.append(inode));
  }
  const [top] = items;
  if (top === undefined) throw squashfsError('a tree without a root');
  await inodes.settle();
  const root = locate(top);
  return { inodes: await inodes.finish(), directories: await directories.finish(), root };
}

function leafInode({ node, path }: Item, head: InodeHead, data: DataArea): Buffer {
  switch (node.type) {
    case 'file':
      return fileInode(head, data.find(node.content));
    case 'symlink':
      return symlinkInode(head, Buffer.from(node.target, 'utf8'));
    case 'char':
    case 'block':
      return deviceInode(node.type, head, node.major, node.minor);
    case 'dir':
      throw new Error(`squashfs: ${path} is a directory`);
  }
}
