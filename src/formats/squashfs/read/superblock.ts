import { LIMITS, MAGIC, NONE_64, SUPERBLOCK_SIZE } from '../constants.ts';
import { type Compressor, compressorNamed } from './decompress.ts';
import { damaged, type ReadImage, readExactly } from './source.ts';

/** What is read of the superblock: squashfs_super_block in Linux, fs/squashfs/squashfs_fs.h. Offsets are in the image. */
export interface SuperblockInfo {
  inodes: number;
  /** Seconds since 1970. */
  mtime: number;
  blockSize: number;
  compressor: Compressor;
  fragments: number;
  ids: number;
  /** The root's inode: offset in the inode table of its metadata block, and the byte in that. */
  root: { start: number; offset: number };
  /** Bytes in use, without the padding. */
  used: number;
  idTable: number;
  inodeTable: number;
  directoryTable: number;
  /** Absent when there are no fragments. */
  fragmentTable: number | undefined;
}

/** Linux's own least; ours are larger. */
const MIN_BLOCK_SIZE = 4096;
const VERSION = [4, 0];

export async function readSuperblock(read: ReadImage): Promise<SuperblockInfo> {
  const bytes = await readExactly(read, 0, SUPERBLOCK_SIZE);
  if (bytes.readUInt32LE(0) !== MAGIC) throw damaged('this is no squashfs image', 0, "the letters 'hsqs'");
  const version = [bytes.readUInt16LE(28), bytes.readUInt16LE(30)];
  if (version.join('.') !== VERSION.join('.'))
    throw damaged(`version ${version.join('.')}`, 28, `version ${VERSION.join('.')}`);
  const blockSize = bytes.readUInt32LE(12);
  const log = bytes.readUInt16LE(22);
  if (blockSize < MIN_BLOCK_SIZE || blockSize > LIMITS.maxBlockSize || blockSize !== 2 ** log)
    throw damaged(`a block size of ${blockSize} (2^${log})`, 12, 'a power of two from 4096 to 1048576');

  const used = number(bytes, 40);
  const place = (at: number, what: string): number => {
    const value = number(bytes, at);
    if (value >= SUPERBLOCK_SIZE && value < used) return value;
    throw damaged(`${what} would be at byte ${value}`, at, `a place within ${used} bytes`);
  };
  const fragments = bytes.readUInt32LE(16);
  const none = bytes.readBigUInt64LE(80) === NONE_64;
  if (none && fragments > 0) throw damaged(`${fragments} fragments and no table of them`, 80);
  return {
    inodes: bytes.readUInt32LE(4),
    mtime: bytes.readUInt32LE(8),
    blockSize,
    compressor: compressorNamed(bytes.readUInt16LE(20), 20),
    fragments,
    ids: bytes.readUInt16LE(26),
    root: { start: Math.floor(bytes.readUIntLE(34, 6)), offset: bytes.readUInt16LE(32) },
    used,
    idTable: place(48, 'the id table'),
    inodeTable: place(64, 'the inode table'),
    directoryTable: place(72, 'the directory table'),
    fragmentTable: none || fragments === 0 ? undefined : place(80, 'the fragment table'),
  };
}

/** 64 bits that must be a place or a size: what no number holds is no image of this world. */
export function number(bytes: Buffer, at: number, base = 0): number {
  const value = bytes.readBigUInt64LE(at);
  if (value > Number.MAX_SAFE_INTEGER) throw damaged(`the impossible number ${value}`, base + at);
  return Number(value);
}
