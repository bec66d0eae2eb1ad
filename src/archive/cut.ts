import { MAX_CHUNK, MIN_CHUNK } from './chunk-table.ts';

/** Chunks are as close to this as the boundaries allow: small enough for a delta, large enough for few requests. */
export const TARGET_CHUNK = 256 * 1024;

/**
 * Cuts a payload into chunks of MIN_CHUNK to MAX_CHUNK bytes (the last may be smaller), at boundaries where that
 * is possible: bytes that did not change between two builds then stay in chunks that did not change, wherever
 * they moved. Which cuts are made is the writer's choice alone; readers take any.
 * @param boundaries offsets at which the content has seams (a squashfs writer's block starts), ascending
 * @returns the chunks' sizes
 */
export function cutChunks(size: number, boundaries: readonly number[] = []): number[] {
  const cuts: number[] = [];
  let start = 0;
  let seam = 0;
  for (const next of [...seams(size, boundaries), size]) {
    // Taking the next range in would make the chunk too large: end it at the last seam, or, when that would be
    // too small, at the largest size there is.
    if (next - start > MAX_CHUNK) {
      start = seam - start >= MIN_CHUNK ? seam : start + MAX_CHUNK;
      cuts.push(start);
    }
    if (next - start >= TARGET_CHUNK) {
      start = next;
      cuts.push(start);
    }
    seam = next;
  }
  if (cuts.at(-1) !== size) cuts.push(size);
  return cuts.map((cut, index) => cut - (cuts[index - 1] ?? 0));
}

/** The boundaries, and made-up ones where the real ones are too far apart. */
function* seams(size: number, boundaries: readonly number[]): Generator<number> {
  let last = 0;
  for (const boundary of [...boundaries, size]) {
    if (boundary <= last || boundary > size) continue;
    const far = boundary - last > MAX_CHUNK;
    for (let at = last + TARGET_CHUNK; far && at < boundary; at += TARGET_CHUNK) yield at;
    if (boundary < size) yield boundary;
    last = boundary;
  }
}
