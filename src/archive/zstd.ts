import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** What RFC 8878 asks every decoder to support, and the most that ours will reserve: 8 MiB. */
const WINDOW_LOG_MAX = 23;

/** Room for all that is to come out, and a byte to see that it was all: Node's 16 KiB take sixteen ways to another thread for a chunk. */
export function roomFor(size: number): { maxOutputLength: number; chunkSize: number } {
  return { maxOutputLength: size, chunkSize: Math.max(constants.Z_MIN_CHUNK, size + 1) };
}

/** One frame that states its content's size; no checksum of its own, for SHA-256 covers it. */
export async function compressChunk(raw: Uint8Array, level: number): Promise<Uint8Array> {
  return await compress(raw, {
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_contentSizeFlag]: 1,
      [constants.ZSTD_c_checksumFlag]: 0,
    },
    pledgedSrcSize: raw.length,
  });
}

/** @throws when the frame is damaged, holds more than `size` bytes, or is followed by something */
export async function decompressChunk(stored: Uint8Array, size: number): Promise<Uint8Array> {
  const answer: unknown = await decompress(stored, {
    ...roomFor(size),
    params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
    info: true,
  });
  if (!isInfo(answer)) throw new TypeError('zlib answers without the info that was asked for');
  // zlib stops at the end of the first frame and ignores the rest, which `zstd -d` would go on to decode.
  if (answer.engine.bytesWritten !== stored.length) {
    throw new RangeError(`the frame ends after ${answer.engine.bytesWritten} of ${stored.length} bytes`);
  }
  return answer.buffer;
}

/** What zlib's `info: true` gives; Node's types do not know it. */
function isInfo(value: unknown): value is { buffer: Buffer; engine: { bytesWritten: number } } {
  return typeof value === 'object' && value !== null && 'buffer' in value && 'engine' in value;
}
