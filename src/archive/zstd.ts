import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** What RFC 8878 asks every decoder to support, and the most that ours will reserve: 8 MiB. */
const WINDOW_LOG_MAX = 23;

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

/** @throws when the frame is damaged or holds more than `size` bytes */
export async function decompressChunk(stored: Uint8Array, size: number): Promise<Uint8Array> {
  return await decompress(stored, {
    maxOutputLength: size,
    params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
  });
}
