import { MAX_CHUNK, MIN_CHUNK } from './chunk-table.ts';

/** About how large chunks are: small enough for a delta, large enough for few requests. */
export const TARGET_CHUNK = 256 * 1024;

/**
 * Cuts a payload into chunks of MIN_CHUNK to MAX_CHUNK bytes (the last may be smaller), at seams where that is
 * possible. Whether a chunk ends at a seam hangs mostly on the size of the range before it, which for compressed
 * blocks is as good as a hash of the content: two builds that differ somewhere cut alike again a few chunks
 * later, and what did not change is in chunks that did not change. Only the writer knows this rule; readers
 * take any cuts.
 * @param boundaries offsets at which the content has seams (a squashfs writer's block starts), ascending
 * @returns the chunks' sizes
 */
export function cutChunks(size: number, boundaries: readonly number[] = []): number[] {
  const cuts: number[] = [];
  let start = 0;
  let seam = 0;
  for (const next of [...seams(size, boundaries), size]) {
    // Taking the range in would make the chunk too large: end it before, or, when that would be too small, at
    // the largest size there is.
    if (next - start > MAX_CHUNK) {
      start = seam - start >= MIN_CHUNK ? seam : start + MAX_CHUNK;
      cuts.push(start);
    }
    const length = next - start;
    if (length >= 2 * TARGET_CHUNK || (length >= TARGET_CHUNK / 2 && isAnchor(next - seam))) {
      start = next;
      cuts.push(start);
    }
    seam = next;
  }
  if (start < size) cuts.push(size);
  return cuts.map((cut, index) => cut - (cuts[index - 1] ?? 0));
}

/** Large ranges, and every second size of the small ones (by Fibonacci hashing). */
function isAnchor(range: number): boolean {
  return range >= TARGET_CHUNK / 2 || Math.imul(range, 0x9e3779b1) >>> 31 === 1;
}

/** The boundaries, and made-up ones where the real ones are too far apart or nobody knows any. */
function* seams(size: number, boundaries: readonly number[]): Generator<number> {
  let last = 0;
  for (const boundary of [...boundaries, size]) {
    if (boundary <= last || boundary > size) continue;
    const far = boundary - last > MAX_CHUNK || boundaries.length === 0;
    for (let at = last + TARGET_CHUNK; far && at < boundary; at += TARGET_CHUNK) yield at;
    if (boundary < size) yield boundary;
    last = boundary;
  }
}
