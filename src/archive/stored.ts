import { hash } from 'node:crypto';
import { versions } from 'node:process';
import type { Chunk } from './chunk-table.ts';
import { cutChunks } from './cut.ts';
import { changed, isLazy, join, type Pieces, regroup, sha256Of, sizeOf } from './pieces.ts';
import { compressChunk } from './zstd.ts';

/** Keeps compressed chunks between builds. Keys name everything that a value depends on; values are opaque. */
export interface ChunkCache {
  get(key: string): Promise<Uint8Array | undefined>;
  put(key: string, value: Uint8Array): Promise<void>;
}

/** How a payload lies in the file: as it is, or each chunk as a zstd frame (levels 1-22). */
export type Storage = { encoding: 'raw' } | { encoding: 'zstd'; level: number };

/** A payload whose chunks are known; its stored bytes can now be written. */
export interface StoredPayload {
  size: number;
  storedSize: number;
  chunks: Chunk[];
  stored(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

export interface StoreInput {
  name: string;
  pieces: Pieces;
  boundaries?: readonly number[];
  storage: Storage;
}

/** Frames compressed at once: as many as libuv has threads. */
const PARALLEL = 4;

/** Hashes each chunk of a payload, and compresses it where asked. Holds the compressed chunks, never the raw ones. */
export async function storePayload(input: StoreInput, cache?: ChunkCache): Promise<StoredPayload> {
  const size = sizeOf(input.pieces);
  const sizes = cutChunks(size, input.boundaries);
  return input.storage.encoding === 'raw'
    ? await storeRaw(input, size, sizes)
    : await storeZstd(input, size, sizes, input.storage.level, cache);
}

async function storeRaw({ name, pieces }: StoreInput, size: number, sizes: number[]): Promise<StoredPayload> {
  const chunks: Chunk[] = [];
  let offset = 0;
  for await (const parts of regroup(pieces, sizes, name)) {
    const sha256 = sha256Of(parts);
    const length = sizes[chunks.length] ?? 0;
    chunks.push({
      offset,
      size: length,
      storedOffset: offset,
      storedSize: length,
      sha256,
      storedSha256: sha256,
    });
    offset += length;
  }
  const again = isLazy(pieces) ? () => checkedAgain(pieces, sizes, chunks, name) : () => pieces;
  return { size, storedSize: size, chunks, stored: again };
}

/** A lazy source read for the second time: what is written must be what was hashed. */
async function* checkedAgain(
  pieces: Pieces,
  sizes: number[],
  chunks: Chunk[],
  name: string,
): AsyncGenerator<Uint8Array> {
  let index = 0;
  for await (const parts of regroup(pieces, sizes, name)) {
    if (!chunks[index++]?.sha256.equals(sha256Of(parts))) throw changed(name);
    yield* parts;
  }
}

interface Frame {
  size: number;
  sha256: Buffer;
  frame: Uint8Array;
}

async function storeZstd(
  { name, pieces }: StoreInput,
  size: number,
  sizes: number[],
  level: number,
  cache: ChunkCache | undefined,
): Promise<StoredPayload> {
  const frames: Frame[] = [];
  let batch: Uint8Array[] = [];
  for await (const parts of regroup(pieces, sizes, name)) {
    batch.push(join(parts));
    if (batch.length < PARALLEL && frames.length + batch.length < sizes.length) continue;
    frames.push(...(await Promise.all(batch.map((raw) => makeFrame(raw, level, cache)))));
    batch = [];
  }
  const chunks: Chunk[] = [];
  let offset = 0;
  let storedOffset = 0;
  for (const { size: length, sha256, frame } of frames) {
    const storedSha256 = hash('sha256', frame, 'buffer');
    chunks.push({ offset, size: length, storedOffset, storedSize: frame.length, sha256, storedSha256 });
    offset += length;
    storedOffset += frame.length;
  }
  return { size, storedSize: storedOffset, chunks, stored: () => frames.map(({ frame }) => frame) };
}

async function makeFrame(raw: Uint8Array, level: number, cache: ChunkCache | undefined): Promise<Frame> {
  const sha256 = hash('sha256', raw, 'buffer');
  // The library's version belongs to the key: another zstd may find another, equally valid frame.
  const key = `${sha256.toString('hex')}-zstd-${versions.zstd}-${level}`;
  let frame = await cache?.get(key);
  if (!frame) {
    frame = await compressChunk(raw, level);
    await cache?.put(key, frame);
  }
  return { size: raw.length, sha256, frame };
}
