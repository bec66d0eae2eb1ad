import { createHash } from 'node:crypto';
import { FwError } from '../errors.ts';

/**
 * A payload's bytes: pieces that are in memory, or a source that can be opened twice, for the chunk table stands
 * before the payloads in the file. Nobody may change a piece after handing it over.
 */
export type Pieces = readonly Uint8Array[] | LazyPieces;
export interface LazyPieces {
  /** Bytes. */
  size: number;
  open(): AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

export function sizeOf(pieces: Pieces): number {
  return isLazy(pieces) ? pieces.size : pieces.reduce((sum, piece) => sum + piece.length, 0);
}

export function isLazy(pieces: Pieces): pieces is LazyPieces {
  return 'open' in pieces;
}

/**
 * The bytes again, as one list of parts for each size in `sizes`; nothing is copied.
 * @throws FwError `payload-changed` when a lazy source gives more or less than it said
 */
export async function* regroup(
  pieces: Pieces,
  sizes: readonly number[],
  name: string,
): AsyncGenerator<Uint8Array[]> {
  let index = 0;
  let parts: Uint8Array[] = [];
  let missing = sizes[0] ?? 0;
  for await (const piece of isLazy(pieces) ? pieces.open() : pieces) {
    for (let at = 0; at < piece.length; ) {
      if (index >= sizes.length) throw changed(name);
      const part = piece.subarray(at, at + missing);
      parts.push(part);
      at += part.length;
      missing -= part.length;
      if (missing === 0) {
        yield parts;
        parts = [];
        missing = sizes[++index] ?? 0;
      }
    }
  }
  if (index < sizes.length) throw changed(name);
}

export function sha256Of(parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  return only && parts.length === 1 ? only : Buffer.concat(parts);
}

export function changed(name: string): FwError {
  return new FwError('payload-changed', `payload ${name} changed while the firmware was written`, {
    where: `payload/${name}`,
    expected: 'the same bytes each time it is read',
    remedy: 'Build again, and let nothing else write to the build folder meanwhile.',
  });
}
