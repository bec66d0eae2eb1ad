import type { BlockCompressor } from './blocks.ts';
import { MAX_U32, METADATA_BLOCK, METADATA_RAW } from './constants.ts';
import { squashfsError } from './error.ts';
import { all } from './gate.ts';

/** A place in a table before its compression: which metadata block, and the byte in it. */
export interface Position {
  block: number;
  offset: number;
}

/**
 * A table of inodes or listings: a stream cut into metadata blocks of 8 KiB, each stored as a 16-bit size and its
 * bytes. References into it need the stored sizes of the blocks before, so `settle` stores what is complete.
 */
export class MetadataTable {
  readonly #compressor: BlockCompressor;
  /** Complete blocks that are not stored yet. */
  #complete: Buffer[] = [];
  #open = Buffer.alloc(METADATA_BLOCK);
  #filled = 0;
  readonly #stored: Uint8Array[] = [];
  /** Where each stored block starts, and the one that follows them. */
  readonly #starts = [0];

  constructor(compressor: BlockCompressor) {
    this.#compressor = compressor;
  }

  /** Where the next byte goes. */
  get position(): Position {
    return { block: this.#stored.length + this.#complete.length, offset: this.#filled };
  }

  append(bytes: Uint8Array): Position {
    const { position } = this;
    for (let done = 0; done < bytes.length; ) {
      const part = bytes.subarray(done, done + METADATA_BLOCK - this.#filled);
      this.#open.set(part, this.#filled);
      this.#filled += part.length;
      done += part.length;
      if (this.#filled === METADATA_BLOCK) {
        this.#complete.push(this.#open);
        this.#open = Buffer.alloc(METADATA_BLOCK);
        this.#filled = 0;
      }
    }
    return position;
  }

  /** Stores every complete block; after it `startOf` knows all blocks up to the one at `position`. */
  async settle(): Promise<void> {
    if (this.#complete.length === 0) return;
    const blocks = this.#complete;
    this.#complete = [];
    for (const stored of await all(blocks.map((block) => storeMetadata(this.#compressor, block)))) {
      this.#starts.push((this.#starts.at(-1) ?? 0) + stored.length);
      this.#stored.push(stored);
    }
  }

  /** Bytes from the start of the stored table to a block. */
  startOf(block: number): number {
    const start = this.#starts[block];
    if (start === undefined) throw new Error(`squashfs: metadata block ${block} is not settled`);
    if (start > MAX_U32) throw squashfsError('more than 4 GiB of inodes or directory entries');
    return start;
  }

  /** Stores the rest, too. */
  async finish(): Promise<Uint8Array[]> {
    if (this.#filled > 0) this.#complete.push(this.#open.subarray(0, this.#filled));
    this.#filled = 0;
    await this.settle();
    return this.#stored;
  }
}

export interface LookUpTable {
  /** Metadata blocks, then the list of where they start. */
  pieces: Uint8Array[];
  /** Offset in the image of that list, which is what the superblock points to. */
  start: number;
}

/** A table that is found through a list of its blocks' offsets in the image: of fragments, of ids. */
export async function lookUpTable(
  content: Uint8Array,
  offset: number,
  compressor: BlockCompressor,
): Promise<LookUpTable> {
  const table = new MetadataTable(compressor);
  table.append(content);
  const pieces = await table.finish();
  const list = Buffer.alloc(8 * pieces.length);
  let start = offset;
  for (const [i, piece] of pieces.entries()) {
    list.writeBigUInt64LE(BigInt(start), 8 * i);
    start += piece.length;
  }
  return { pieces: [...pieces, list], start };
}

async function storeMetadata(compressor: BlockCompressor, block: Uint8Array): Promise<Uint8Array> {
  const { bytes, raw } = await compressor.store(block);
  const size = Buffer.alloc(2);
  size.writeUInt16LE(bytes.length | (raw ? METADATA_RAW : 0));
  return Buffer.concat([size, bytes]);
}
