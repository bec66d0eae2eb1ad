import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import type { Chunk } from '../../archive/chunk-table.ts';
import { roomFor } from '../../archive/zstd.ts';
import { type Base, MAX_BASE } from './chunk-frame.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/**
 * A difference is small, and made for one device: what matters is that it finds what is the same. From level 9 on zstd looks at
 * all of a dictionary of some MiB; level 12 takes thrice the time for a few bytes.
 */
const LEVEL = 9;
/** Bytes around the place where the base is believed to lie: content moves by a little where blocks grow. */
const MARGIN = 128 * 1024;
/** Covers the base and the chunk, so that all of the base can be referred to. */
const WINDOW_LOG = 23;

export async function makePatch(bytes: Uint8Array, base: Uint8Array): Promise<Uint8Array> {
  return compress(bytes, {
    dictionary: base,
    params: {
      [constants.ZSTD_c_compressionLevel]: LEVEL,
      [constants.ZSTD_c_windowLog]: WINDOW_LOG,
      [constants.ZSTD_c_contentSizeFlag]: 1,
    },
  });
}

/** @param size of the chunk: more than that is never made */
export async function applyPatch(patch: Uint8Array, base: Uint8Array, size: number): Promise<Uint8Array> {
  return decompress(patch, {
    dictionary: base,
    ...roomFor(size),
    params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG },
  });
}

/**
 * Where the bytes lie, in the old payload, that a changed chunk has come from: between what stands before and behind it in
 * both; of what is too long to be held, the part that is as far from its beginning.
 * @param chunks of the new payload
 * @param old of the old payload
 */
export function baseOf(index: number, chunks: readonly Chunk[], old: readonly Chunk[]): Base | undefined {
  const at = new Map(old.map((chunk) => [chunk.sha256.toString('hex'), chunk]));
  const common = (chunk: Chunk | undefined): Chunk | undefined =>
    chunk && at.get(chunk.sha256.toString('hex'));
  const before = chunks.slice(0, index).findLast(common);
  const behind = chunks.slice(index + 1).find(common);
  const end = old.at(-1);
  if (!end) return undefined;
  const total = end.offset + end.size;
  const first = common(before);
  const from = Math.max(0, (first ? first.offset + first.size : 0) - MARGIN);
  const to = Math.min(total, (common(behind)?.offset ?? total) + MARGIN);
  const length = Math.min(MAX_BASE, to - from);
  const chunk = chunks[index];
  if (length <= 0 || !chunk) return undefined;
  const begun = before ? before.offset + before.size : 0;
  const middle = from + MARGIN + (chunk.offset - begun) + chunk.size / 2;
  const offset = Math.round(Math.min(Math.max(from, middle - length / 2), to - length));
  return { offset, length };
}
