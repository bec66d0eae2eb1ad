/**
 * A unit's stored blocks as one value, which is also what the cache keeps: magic, CRC-32 of key and rest, number of
 * blocks, the blocks' size words, the blocks. What does not fit its key in every respect is not believed.
 */
import { crc32 } from 'node:zlib';
import { DATA_RAW } from './constants.ts';

const MAGIC = 0x31515348; // 'HSQ1'
const HEADER_SIZE = 12;

export interface PackedUnit {
  /** Each block's size as inodes and fragment entries have it: bytes, plus DATA_RAW when raw; 0 for all zeros. */
  sizes: number[];
  bytes: Uint8Array;
}

/** Bytes that a size word says are in the image. */
export function storedSize(word: number): number {
  return word & (DATA_RAW - 1);
}

/** How many bytes each block of `size` bytes of content has. */
export function blockLengths(size: number, blockSize: number): number[] {
  return Array.from({ length: Math.ceil(size / blockSize) }, (_, i) =>
    Math.min(blockSize, size - i * blockSize),
  );
}

export function encodeEntry(
  key: string,
  sizes: readonly number[],
  blocks: readonly Uint8Array[],
): Uint8Array {
  const head = Buffer.alloc(HEADER_SIZE + 4 * sizes.length);
  head.writeUInt32LE(MAGIC, 0);
  head.writeUInt32LE(sizes.length, 8);
  for (const [i, word] of sizes.entries()) head.writeUInt32LE(word, HEADER_SIZE + 4 * i);
  const entry = Buffer.concat([head, ...blocks]);
  entry.writeUInt32LE(checksum(key, entry), 4);
  return entry;
}

/** The unit in an entry (a view of it), or nothing unless it is whole and made for this key and these blocks. */
export function decodeEntry(
  key: string,
  entry: Uint8Array,
  lengths: readonly number[],
): PackedUnit | undefined {
  const start = HEADER_SIZE + 4 * lengths.length;
  if (entry.length < start) return undefined;
  const head = new DataView(entry.buffer, entry.byteOffset, start);
  if (head.getUint32(0, true) !== MAGIC || head.getUint32(8, true) !== lengths.length) return undefined;
  if (head.getUint32(4, true) !== checksum(key, entry)) return undefined;
  const sizes = lengths.map((_, i) => head.getUint32(HEADER_SIZE + 4 * i, true));
  const plausible = sizes.every((word, i) => fits(word, lengths[i] ?? 0));
  const total = sizes.reduce((sum, word) => sum + storedSize(word), 0);
  return plausible && total === entry.length - start ? { sizes, bytes: entry.subarray(start) } : undefined;
}

function fits(word: number, length: number): boolean {
  return word >= DATA_RAW ? word === (DATA_RAW | length) : word < length;
}

function checksum(key: string, entry: Uint8Array): number {
  return crc32(entry.subarray(8), crc32(key));
}
