import { COMPRESSOR_ZSTD, FLAGS, MAGIC, METADATA_RAW, NONE_64, SUPERBLOCK_SIZE } from './constants.ts';

export interface Superblock {
  inodes: number;
  /** Seconds since 1970. */
  mtime: number;
  blockSize: number;
  fragments: number;
  ids: number;
  /** Metadata block's offset in the inode table, and the byte in that block. */
  root: { start: number; offset: number };
  /** Bytes in use, without the padding. */
  used: number;
  /** Offsets in the image. */
  idTable: number;
  inodeTable: number;
  directoryTable: number;
  /** Absent when there are no fragments. */
  fragmentTable: number | undefined;
}

/** The superblock: squashfs_super_block in Linux, fs/squashfs/squashfs_fs.h. */
export function encodeSuperblock(block: Superblock): Buffer {
  const out = Buffer.alloc(SUPERBLOCK_SIZE);
  out.writeUInt32LE(MAGIC, 0);
  out.writeUInt32LE(block.inodes, 4);
  out.writeUInt32LE(block.mtime, 8);
  out.writeUInt32LE(block.blockSize, 12);
  out.writeUInt32LE(block.fragments, 16);
  out.writeUInt16LE(COMPRESSOR_ZSTD, 20);
  out.writeUInt16LE(Math.log2(block.blockSize), 22);
  out.writeUInt16LE(FLAGS, 24);
  out.writeUInt16LE(block.ids, 26);
  out.writeUInt16LE(4, 28); // version 4.0
  out.writeUInt16LE(0, 30);
  out.writeBigUInt64LE(BigInt(block.root.start) * 65536n + BigInt(block.root.offset), 32);
  out.writeBigUInt64LE(BigInt(block.used), 40);
  out.writeBigUInt64LE(BigInt(block.idTable), 48);
  out.writeBigUInt64LE(NONE_64, 56); // xattrs
  out.writeBigUInt64LE(BigInt(block.inodeTable), 64);
  out.writeBigUInt64LE(BigInt(block.directoryTable), 72);
  out.writeBigUInt64LE(block.fragmentTable === undefined ? NONE_64 : BigInt(block.fragmentTable), 80);
  out.writeBigUInt64LE(NONE_64, 88); // NFS export
  return out;
}

/** zstd's options, a raw metadata block that follows the superblock: the level. */
export function compressorOptions(level: number): Buffer {
  const out = Buffer.alloc(6);
  out.writeUInt16LE(4 | METADATA_RAW, 0);
  out.writeUInt32LE(level, 2);
  return out;
}
