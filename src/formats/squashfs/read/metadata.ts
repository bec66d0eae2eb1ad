import { METADATA_BLOCK, METADATA_RAW } from '../constants.ts';
import type { Decompress } from './decompress.ts';
import { damaged, type ReadImage, readExactly } from './source.ts';

/** A place in a table: where in the image its metadata block is stored, and the byte in that. Moves as it is read. */
export interface Cursor {
  block: number;
  offset: number;
}

interface Block {
  bytes: Buffer;
  /** Where in the image the next one is stored. */
  next: number;
}

/**
 * All that may be unpacked, and all that may be taken, over the life of a reader: 64 MiB hold a million inodes. It is
 * what bounds time and memory on an image in which tables overlap, or unpack to a thousand times their size.
 */
const LIMIT = 64 * 1024 * 1024;

/** Inodes and listings: streams of metadata blocks, each a 16-bit size and up to 8 KiB of content. */
export class MetadataReader {
  readonly #read: ReadImage;
  readonly #decompress: Decompress;
  /** Where the image's used bytes end. */
  readonly #end: number;
  readonly #blocks = new Map<number, Block>();
  #unpacked = 0;
  #taken = 0;

  constructor(read: ReadImage, decompress: Decompress, end: number) {
    this.#read = read;
    this.#decompress = decompress;
    this.#end = end;
  }

  /** The next `length` bytes, which may be a view; the cursor then stands behind them. */
  async take(cursor: Cursor, length: number): Promise<Buffer> {
    this.#taken += length;
    if (this.#taken > LIMIT) throw tooMuch(cursor.block);
    const pieces: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      const { bytes, next } = this.#blocks.get(cursor.block) ?? (await this.#load(cursor.block));
      if (cursor.offset > bytes.length || (cursor.offset === bytes.length && bytes.length < METADATA_BLOCK))
        throw damaged(`a reference to byte ${cursor.offset} of ${bytes.length}`, cursor.block);
      const piece = bytes.subarray(cursor.offset, cursor.offset + missing);
      missing -= piece.length;
      cursor.offset += piece.length;
      if (piece.length > 0) pieces.push(piece);
      if (missing > 0) Object.assign(cursor, { block: next, offset: 0 });
    }
    const [only] = pieces;
    return pieces.length === 1 && only ? only : Buffer.concat(pieces);
  }

  async #load(at: number): Promise<Block> {
    const outside = at + 2 > this.#end || at < 0;
    const head = outside ? 0 : (await readExactly(this.#read, at, 2)).readUInt16LE(0);
    const size = head & (METADATA_RAW - 1);
    if (outside || size === 0 || size > METADATA_BLOCK || at + 2 + size > this.#end)
      throw damaged('no block of metadata is there', at, `1 to ${METADATA_BLOCK} bytes, within ${this.#end}`);
    const stored = await readExactly(this.#read, at + 2, size);
    const bytes = head & METADATA_RAW ? stored : await this.#decompress(stored, METADATA_BLOCK, at + 2);
    if (bytes.length === 0) throw damaged('an empty block of metadata', at);
    this.#unpacked += bytes.length;
    if (this.#unpacked > LIMIT) throw tooMuch(at);
    const block = { bytes, next: at + 2 + size };
    this.#blocks.set(at, block);
    return block;
  }
}

function tooMuch(at: number): Error {
  return damaged(`more than ${LIMIT} bytes of inodes and directories`, at, 'a smaller image, or a sound one');
}
