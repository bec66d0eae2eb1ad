/** Inodes as bytes. Layouts: squashfs_*_inode in Linux, fs/squashfs/squashfs_fs.h. */
import { DIR_SIZE_EXTRA, INODE, MAX_U16, MAX_U32, NONE_32 } from './constants.ts';

const COMMON_SIZE = 16;

/** What every inode starts with. */
export interface InodeHead {
  /** Permission bits. */
  mode: number;
  /** Indexes into the id table. */
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
  number: number;
}

export interface FileData {
  /** Bytes. */
  size: number;
  /** Offset in the image of the first data block; 0 for a file that has no blocks of its own. */
  start: number;
  blockSizes: readonly number[];
  /** Bytes in blocks that are all zeros and not stored. */
  sparse: number;
  /** Where the content is, when it is in a fragment block: which one, and the byte in it. */
  fragment: { index: number; offset: number } | undefined;
}

export interface DirData {
  /** Of the listing: offset in the directory table of the metadata block it starts in, and the byte in that. */
  start: number;
  offset: number;
  /** Bytes of the listing. */
  listing: number;
  /** 2 + number of subdirectories. */
  links: number;
  parent: number;
  index: readonly DirIndexEntry[];
}

/** Lets a look-up skip to the last header whose first name is not behind the name that is looked for. */
export interface DirIndexEntry {
  /** Bytes into the listing, where a header starts. */
  at: number;
  /** Offset in the directory table of the metadata block that header starts in. */
  start: number;
  name: Uint8Array;
}

export function fileInode(head: InodeHead, data: FileData): Buffer {
  const long = data.start > MAX_U32 || data.size > MAX_U32 || data.sparse > 0;
  const fixed = COMMON_SIZE + (long ? 40 : 16);
  const out = begin(long ? INODE.longFile : INODE.file, head, fixed + 4 * data.blockSizes.length);
  const { index, offset } = data.fragment ?? { index: NONE_32, offset: 0 };
  if (long) {
    out.writeBigUInt64LE(BigInt(data.start), 16);
    out.writeBigUInt64LE(BigInt(data.size), 24);
    out.writeBigUInt64LE(BigInt(data.sparse), 32);
    out.writeUInt32LE(1, 40);
    out.writeUInt32LE(index, 44);
    out.writeUInt32LE(offset, 48);
    out.writeUInt32LE(NONE_32, 52);
  } else {
    out.writeUInt32LE(data.start, 16);
    out.writeUInt32LE(index, 20);
    out.writeUInt32LE(offset, 24);
    out.writeUInt32LE(data.size, 28);
  }
  for (const [i, word] of data.blockSizes.entries()) out.writeUInt32LE(word, fixed + 4 * i);
  return out;
}

export function dirInode(head: InodeHead, data: DirData): Buffer {
  const size = data.listing + DIR_SIZE_EXTRA;
  if (size <= MAX_U16) {
    const out = begin(INODE.dir, head, COMMON_SIZE + 16);
    out.writeUInt32LE(data.start, 16);
    out.writeUInt32LE(data.links, 20);
    out.writeUInt16LE(size, 24);
    out.writeUInt16LE(data.offset, 26);
    out.writeUInt32LE(data.parent, 28);
    return out;
  }
  const out = begin(INODE.longDir, head, COMMON_SIZE + 24);
  out.writeUInt32LE(data.links, 16);
  out.writeUInt32LE(size, 20);
  out.writeUInt32LE(data.start, 24);
  out.writeUInt32LE(data.parent, 28);
  out.writeUInt16LE(data.index.length, 32);
  out.writeUInt16LE(data.offset, 34);
  out.writeUInt32LE(NONE_32, 36);
  return Buffer.concat([out, ...data.index.flatMap(indexEntry)]);
}

function indexEntry({ at, start, name }: DirIndexEntry): Uint8Array[] {
  const out = Buffer.alloc(12);
  out.writeUInt32LE(at, 0);
  out.writeUInt32LE(start, 4);
  out.writeUInt32LE(name.length - 1, 8);
  return [out, name];
}

export function symlinkInode(head: InodeHead, target: Uint8Array): Buffer {
  const out = begin(INODE.symlink, head, COMMON_SIZE + 8 + target.length);
  out.writeUInt32LE(1, 16);
  out.writeUInt32LE(target.length, 20);
  out.set(target, 24);
  return out;
}

/** The device number as Linux's new_encode_dev has it: minor bits 0-7, major bits 8-19, minor's rest from bit 20. */
export function deviceInode(type: 'char' | 'block', head: InodeHead, major: number, minor: number): Buffer {
  const out = begin(INODE[type], head, COMMON_SIZE + 8);
  out.writeUInt32LE(1, 16);
  out.writeUInt32LE(((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0, 20);
  return out;
}

function begin(type: number, head: InodeHead, size: number): Buffer {
  const out = Buffer.alloc(size);
  out.writeUInt16LE(type, 0);
  out.writeUInt16LE(head.mode, 2);
  out.writeUInt16LE(head.uid, 4);
  out.writeUInt16LE(head.gid, 6);
  out.writeUInt32LE(head.mtime, 8);
  out.writeUInt32LE(head.number, 12);
  return out;
}
