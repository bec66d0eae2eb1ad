import { promisify } from 'node:util';
import { constants, inflate, zstdDecompress } from 'node:zlib';
import { LIMITS } from '../constants.ts';
import { damaged } from './source.ts';

/** The image's compressor by its number in the superblock. */
const NAMES = ['', 'gzip', 'lzma', 'lzo', 'xz', 'lz4', 'zstd'] as const;

/** What is read here. Only zstd is written. */
export type Compressor = 'gzip' | 'zstd';

/** A window is at most a block, as for the kernel: more memory than that no frame gets. */
const WINDOW_LOG_MAX = Math.log2(LIMITS.maxBlockSize);

/** Unpacks one block stored at `offset`, which may become `limit` bytes at most. */
export type Decompress = (stored: Uint8Array, limit: number, offset: number) => Promise<Buffer>;

export function compressorNamed(id: number, offset: number): Compressor {
  const name = NAMES[id];
  if (name === 'gzip' || name === 'zstd') return name;
  throw damaged(
    name ? `compressed with ${name}, which is not read here` : `compressed with something unknown (${id})`,
    offset,
    'zstd or gzip',
  );
}

export function decompressorOf(compressor: Compressor): Decompress {
  const unpack = compressor === 'zstd' ? promisify(zstdDecompress) : promisify(inflate);
  const options =
    compressor === 'zstd' ? { params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX } } : {};
  return async (stored, limit, offset) => {
    try {
      return await unpack(stored, { ...options, maxOutputLength: limit });
    } catch (cause) {
      throw damaged(
        `a block of ${stored.length} bytes does not decompress: ${(cause as Error).message}`,
        offset,
        `at most ${limit} bytes of content, compressed with ${compressor}`,
      );
    }
  };
}
