/** Inodes from bytes. Layouts: squashfs_*_inode in Linux, fs/squashfs/squashfs_fs.h; `../inode.ts` writes them. */
import { DATA_RAW, DIR_SIZE_EXTRA, LIMITS, NONE_32 } from '../constants.ts';
import type { Cursor, MetadataReader } from './metadata.ts';
import { damaged } from './source.ts';
import { number, type SuperblockInfo } from './superblock.ts';

const COMMON_SIZE = 16;
/** Types 1 to 7; the extended ones are these plus 7. */
const TYPES = ['dir', 'file', 'symlink', 'block', 'char', 'fifo', 'socket'] as const;

export type InodeType = (typeof TYPES)[number];

export interface Inode {
  type: InodeType;
  number: number;
  /** Permission bits. */
  mode: number;
  /** Indexes into the id table. */
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
  file?: FileBlocks;
  dir?: Listing;
  target?: string;
  device?: { major: number; minor: number };
}

export interface FileBlocks {
  /** Bytes of content. */
  size: number;
  /** Of the first block, in the image. */
  start: number;
  /** A 32-bit word a block: bytes stored, plus DATA_RAW when raw; 0 for all zeros. */
  words: Buffer;
  /** Bytes that its blocks take in the image. */
  stored: number;
  /** The end of the content, when it shares a block with others. */
  tail: { fragment: number; offset: number; length: number } | undefined;
}

export interface Listing {
  /** Offset in the directory table of the metadata block it starts in, and the byte in that. */
  start: number;
  offset: number;
  /** Bytes. */
  length: number;
}

/** A type by its number, as the entries of directories and the plain inodes have it. */
export function typeOf(id: number, at: number): InodeType {
  const type = TYPES[id - 1];
  if (type === undefined) throw damaged(`the unknown type ${id}`, at, '1 to 7');
  return type;
}

export async function readInode(
  metadata: MetadataReader,
  cursor: Cursor,
  image: SuperblockInfo,
): Promise<Inode> {
  const at = cursor.block;
  const head = await metadata.take(cursor, COMMON_SIZE);
  const id = head.readUInt16LE(0);
  const extended = id > TYPES.length;
  const inode: Inode = {
    type: typeOf(extended ? id - TYPES.length : id, at),
    mode: head.readUInt16LE(2) & 0o7777,
    uid: head.readUInt16LE(4),
    gid: head.readUInt16LE(6),
    mtime: head.readUInt32LE(8),
    number: head.readUInt32LE(12),
  };
  if (inode.number === 0 || inode.number > image.inodes)
    throw damaged(`inode ${inode.number} of ${image.inodes}`, at);
  switch (inode.type) {
    case 'dir':
      inode.dir = await readDir(metadata, cursor, extended);
      break;
    case 'file':
      inode.file = await readFile(metadata, cursor, extended, image);
      break;
    case 'symlink':
      inode.target = await readTarget(metadata, cursor);
      break;
    case 'block':
    case 'char':
      inode.device = deviceNumber((await metadata.take(cursor, 8)).readUInt32LE(4));
      break;
    case 'fifo':
    case 'socket':
      break;
  }
  return inode;
}

async function readDir(metadata: MetadataReader, cursor: Cursor, extended: boolean): Promise<Listing> {
  const bytes = await metadata.take(cursor, extended ? 24 : 16);
  const size = extended ? bytes.readUInt32LE(4) : bytes.readUInt16LE(8);
  return {
    start: bytes.readUInt32LE(extended ? 8 : 0),
    offset: bytes.readUInt16LE(extended ? 18 : 10),
    length: Math.max(0, size - DIR_SIZE_EXTRA),
  };
}

async function readFile(
  metadata: MetadataReader,
  cursor: Cursor,
  extended: boolean,
  { blockSize, used, fragments }: SuperblockInfo,
): Promise<FileBlocks> {
  const at = cursor.block;
  const bytes = await metadata.take(cursor, extended ? 40 : 16);
  const start = extended ? number(bytes, 0, at) : bytes.readUInt32LE(0);
  const size = extended ? number(bytes, 8, at) : bytes.readUInt32LE(12);
  const fragment = bytes.readUInt32LE(extended ? 28 : 4);
  const offset = bytes.readUInt32LE(extended ? 32 : 8);
  const hasTail = fragment !== NONE_32 && size % blockSize > 0;
  const tail = hasTail ? { fragment, offset, length: size % blockSize } : undefined;
  if (tail && (fragment >= fragments || offset + tail.length > blockSize))
    throw damaged(`${tail.length} bytes at ${offset} of fragment ${fragment}, of ${fragments}`, at);

  const whole = size - (tail?.length ?? 0);
  const words = await metadata.take(cursor, 4 * Math.ceil(whole / blockSize));
  let stored = 0;
  for (let i = 0; i < words.length; i += 4) {
    const word = words.readUInt32LE(i);
    if (word % DATA_RAW > blockSize || word >= 2 * DATA_RAW)
      throw damaged(`a data block with the size word ${word}`, at, `at most ${blockSize} bytes`);
    stored += word % DATA_RAW;
  }
  if (stored > 0 && start + stored > used)
    throw damaged(`a file of ${stored} bytes from byte ${start} on`, at, `a place within ${used} bytes`);
  return { size, start, words, stored, tail };
}

async function readTarget(metadata: MetadataReader, cursor: Cursor): Promise<string> {
  const at = cursor.block;
  const length = (await metadata.take(cursor, 8)).readUInt32LE(4);
  if (length === 0 || length > LIMITS.path)
    throw damaged(`a symlink to ${length} bytes`, at, `1 to ${LIMITS.path} bytes`);
  return utf8(await metadata.take(cursor, length), at);
}

/** @throws FormatError: another spelling could make two names the same */
export function utf8(bytes: Buffer, at: number): string {
  const text = bytes.toString('utf8');
  if (Buffer.from(text, 'utf8').equals(bytes) && !text.includes('\0')) return text;
  throw damaged(`the name ${JSON.stringify(text)}, which is not UTF-8 without NUL`, at);
}

/** Linux's new_decode_dev: minor bits 0-7, major bits 8-19, minor's rest from bit 20. */
function deviceNumber(word: number): { major: number; minor: number } {
  return { major: (word >>> 8) & 0xfff, minor: (word & 0xff) | ((word >>> 12) & 0xfff00) };
}

/** Each block of a file: bytes of content, where it is stored, and its size word. */
export function* blocksOf(
  { size, start, words, tail }: FileBlocks,
  blockSize: number,
): Generator<{ length: number; at: number; word: number }> {
  let at = start;
  const whole = size - (tail?.length ?? 0);
  for (let i = 0; i * 4 < words.length; i++) {
    const word = words.readUInt32LE(4 * i);
    yield { length: Math.min(blockSize, whole - i * blockSize), at, word };
    at += word % DATA_RAW;
  }
}
