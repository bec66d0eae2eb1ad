import { createHash } from 'node:crypto';
import { FwError } from '../errors.ts';

/**
 * The chunk table: what a device checks before a byte reaches a slot, and what says which bytes it already has.
 * Little endian. Header: magic, uint32 version, uint32 number of rows. Row: uint32 raw size, uint32 stored size,
 * SHA-256 of the raw bytes, SHA-256 of the stored bytes. Rows follow the manifest's payloads in order.
 */
export const CHUNK_TABLE_HEADER = 16;
export const CHUNK_TABLE_ROW = 72;
const MAGIC = 'HEARTHCT';
const VERSION = 1;
const HASH = 32;

/** A chunk's raw size, bytes; the last chunk of a payload may be smaller. Bounds memory, and the table. */
export const MIN_CHUNK = 64 * 1024;
export const MAX_CHUNK = 1024 * 1024;

export interface Chunk {
  /** Where the chunk lies in the payload, bytes. */
  offset: number;
  size: number;
  /** Where it lies in the stored payload. */
  storedOffset: number;
  storedSize: number;
  sha256: Buffer;
  /** Of the stored bytes: checked before they reach a decoder. */
  storedSha256: Buffer;
}

/** What the table needs to know of a payload; the manifest's own entries fit. */
export interface ChunkedPayload {
  name: string;
  size: number;
  digest: string;
  chunks: number;
  stored: { encoding: 'raw' | 'zstd'; size: number };
}

/** zstd's own bound of how much a frame can be larger than its content (ZSTD_COMPRESSBOUND), for `chunks` frames. */
export function storedBound(size: number, chunks = 1): number {
  return size + Math.floor(size / 256) + 64 * chunks;
}

/** SHA-256 over the concatenated raw hashes of a payload's chunks: the payload's identity, without hashing it again. */
export function chunksDigest(chunks: readonly Chunk[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk.sha256);
  return hash.digest('hex');
}

export function encodeChunkTable(payloads: readonly (readonly Chunk[])[]): Buffer {
  const rows = payloads.flat();
  const table = Buffer.alloc(CHUNK_TABLE_HEADER + rows.length * CHUNK_TABLE_ROW);
  table.write(MAGIC, 0, 'latin1');
  table.writeUInt32LE(VERSION, 8);
  table.writeUInt32LE(rows.length, 12);
  rows.forEach((chunk, index) => {
    const at = CHUNK_TABLE_HEADER + index * CHUNK_TABLE_ROW;
    table.writeUInt32LE(chunk.size, at);
    table.writeUInt32LE(chunk.storedSize, at + 4);
    chunk.sha256.copy(table, at + 8);
    chunk.storedSha256.copy(table, at + 8 + HASH);
  });
  return table;
}

/**
 * Reads a table whose hash is already known to be right, and checks that it agrees with the manifest.
 * @returns the chunks of each payload, in the manifest's order
 * @throws FwError `fw-chunk-table-invalid`
 */
export function parseChunkTable(bytes: Uint8Array, payloads: readonly ChunkedPayload[]): Chunk[][] {
  const table = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const rows = payloads.reduce((sum, payload) => sum + payload.chunks, 0);
  if (table.length !== CHUNK_TABLE_HEADER + rows * CHUNK_TABLE_ROW)
    throw invalid(`${table.length} bytes for ${rows} rows`);
  if (table.toString('latin1', 0, MAGIC.length) !== MAGIC) throw invalid('wrong magic');
  if (table.readUInt32LE(8) !== VERSION)
    throw invalid(`version ${table.readUInt32LE(8)}, expected ${VERSION}`);
  if (table.readUInt32LE(12) !== rows) throw invalid(`${table.readUInt32LE(12)} rows, expected ${rows}`);
  let at = CHUNK_TABLE_HEADER;
  return payloads.map((payload) => {
    const chunks = parseRows(table.subarray(at), payload);
    at += payload.chunks * CHUNK_TABLE_ROW;
    return chunks;
  });
}

function parseRows(table: Buffer, payload: ChunkedPayload): Chunk[] {
  const chunks: Chunk[] = [];
  let offset = 0;
  let storedOffset = 0;
  for (let index = 0; index < payload.chunks; index++) {
    const at = index * CHUNK_TABLE_ROW;
    const chunk: Chunk = {
      offset,
      size: table.readUInt32LE(at),
      storedOffset,
      storedSize: table.readUInt32LE(at + 4),
      sha256: table.subarray(at + 8, at + 8 + HASH),
      storedSha256: table.subarray(at + 8 + HASH, at + CHUNK_TABLE_ROW),
    };
    checkRow(chunk, index, payload);
    offset += chunk.size;
    storedOffset += chunk.storedSize;
    chunks.push(chunk);
  }
  if (offset !== payload.size || storedOffset !== payload.stored.size) {
    throw invalid(
      `${payload.name}: chunks of ${offset} bytes, ${storedOffset} stored; the manifest says otherwise`,
    );
  }
  if (chunksDigest(chunks) !== payload.digest)
    throw invalid(`${payload.name}: not the digest that the manifest says`);
  return chunks;
}

function checkRow(chunk: Chunk, index: number, payload: ChunkedPayload): void {
  const where = `${payload.name}, chunk ${index}`;
  const smallest = index === payload.chunks - 1 ? 1 : MIN_CHUNK;
  if (chunk.size < smallest || chunk.size > MAX_CHUNK) throw invalid(`${where}: ${chunk.size} bytes`);
  if (chunk.storedSize < 1 || chunk.storedSize > storedBound(chunk.size)) {
    throw invalid(`${where}: ${chunk.size} bytes stored in ${chunk.storedSize}`);
  }
  const asIs = chunk.storedSize === chunk.size && chunk.storedSha256.equals(chunk.sha256);
  if (payload.stored.encoding === 'raw' && !asIs)
    throw invalid(`${where}: stored as it is, with another size or hash`);
}

function invalid(message: string): FwError {
  return new FwError('fw-chunk-table-invalid', `the chunk table is not valid: ${message}`, {
    where: 'chunks',
    expected: 'docs/fw-format.md',
  });
}
