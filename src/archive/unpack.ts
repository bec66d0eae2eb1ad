import { FwError } from '../errors.ts';
import type { Chunk } from './chunk-table.ts';
import type { Payload } from './manifest.ts';
import { sha256 } from './sha256.ts';
import { decompressChunk } from './zstd.ts';

/**
 * A chunk's raw bytes from its stored ones. The stored bytes are hashed before a decoder sees them, the decoded
 * ones again before anybody else does.
 * @throws FwError `fw-chunk-altered`, `fw-chunk-undecodable`
 */
export async function unpackChunk(
  stored: Uint8Array,
  payload: Payload,
  chunk: Chunk,
  index: number,
): Promise<Uint8Array> {
  const where = `payload/${payload.name}, chunk ${index}, byte ${chunk.offset}`;
  if (!(await sha256(stored)).equals(chunk.storedSha256)) {
    throw new FwError(
      'fw-chunk-altered',
      `payload ${payload.name} was altered: chunk ${index} has another hash`,
      {
        where,
        expected: `SHA-256 ${chunk.storedSha256.toString('hex')}`,
        remedy: 'Fetch or build the file again.',
      },
    );
  }
  if (payload.stored.encoding === 'raw') return stored;
  const raw = await decompressChunk(stored, chunk.size).catch((cause: unknown) => {
    throw undecodable(where, payload, chunk, cause);
  });
  if (!(await sha256(raw)).equals(chunk.sha256)) throw undecodable(where, payload, chunk);
  return raw;
}

/** Signed, and yet not what it says: the program that made it was broken. */
function undecodable(where: string, payload: Payload, chunk: Chunk, cause?: unknown): FwError {
  return new FwError(
    'fw-chunk-undecodable',
    `a chunk of payload ${payload.name} does not decompress as it should`,
    {
      where,
      expected: `a zstd frame of ${chunk.size} bytes with SHA-256 ${chunk.sha256.toString('hex')}`,
      remedy: 'Build the firmware again.',
      cause,
    },
  );
}
