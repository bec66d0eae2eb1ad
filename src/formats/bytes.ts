import { FormatError } from '../errors.ts';

/** Bytes at a place, counted from the start of a disk or a file system. */
export interface Piece {
  /** Bytes from the start. */
  offset: number;
  bytes: Uint8Array;
}

/** A disk or file system as its pieces, in order and without overlap: what no piece covers reads as zeros. */
export interface SparseImage {
  /** Bytes, holes included. */
  size: number;
  pieces: Piece[];
}

/** A stretch of bytes of a disk or file system. */
export interface Extent {
  /** Bytes from the start. */
  offset: number;
  /** Bytes. */
  length: number;
}

/**
 * Reads `length` bytes at `offset` of a disk or file system. Fewer bytes than asked for mean that it ends there;
 * the parsers report that as truncation.
 */
export type ReadAt = (offset: number, length: number) => Uint8Array;

/** One write of a sequence whose order matters: flush the device after each, so that a cut leaves whole steps. */
export interface WriteStep extends Piece {
  /** What this write is for, for logs. */
  why: string;
}

/** The bytes as a DataView. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads from bytes in memory. */
export function readerOf(bytes: Uint8Array): ReadAt {
  return (offset, length) => bytes.subarray(offset, offset + length);
}

/** Reads from a sparse image: holes are zeros, and reads end where the image ends. */
export function sparseReader(image: SparseImage): ReadAt {
  return (offset, length) => {
    const out = new Uint8Array(Math.max(0, Math.min(length, image.size - offset)));
    for (const piece of image.pieces) {
      const from = Math.max(offset, piece.offset);
      const to = Math.min(offset + out.length, piece.offset + piece.bytes.length);
      if (from < to) out.set(piece.bytes.subarray(from - piece.offset, to - piece.offset), from - offset);
    }
    return out;
  };
}

/**
 * Exactly `length` bytes at `offset`.
 * @throws FormatError of the given format when the source ends before that.
 */
export function readExactly(read: ReadAt, offset: number, length: number, format: string): Uint8Array {
  // A negative place comes from a tiny disk, and means 'here' to the file system's own calls.
  const bytes = offset < 0 ? new Uint8Array(0) : read(offset, length);
  if (bytes.length !== length) {
    throw new FormatError(format, `ends ${length - bytes.length} bytes too early`, {
      offset,
      expected: `${length} bytes there`,
    });
  }
  return bytes;
}

/** Whether all bytes are zero. */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/** The next multiple of `unit` at or above `value`. */
export function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/** The last multiple of `unit` at or below `value`. */
export function alignDown(value: number, unit: number): number {
  return Math.floor(value / unit) * unit;
}

/** Byte-wise order of the names' UTF-8 form, which does not depend on a locale. */
export function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
