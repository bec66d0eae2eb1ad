import { METADATA_BLOCK } from '../constants.ts';
import type { MetadataReader } from './metadata.ts';
import { damaged, type ReadImage, readExactly } from './source.ts';
import { number } from './superblock.ts';

/** A table found through a list of its blocks' offsets, such as those of ids and of fragments; each entry read once. */
export class LookUp {
  readonly #read: ReadImage;
  readonly #metadata: MetadataReader;
  /** Where the list of offsets is. */
  readonly #list: number;
  readonly #entrySize: number;
  readonly #count: number;
  readonly #known = new Map<number, Buffer>();

  constructor(read: ReadImage, metadata: MetadataReader, list: number, entrySize: number, count: number) {
    this.#read = read;
    this.#metadata = metadata;
    this.#list = list;
    this.#entrySize = entrySize;
    this.#count = count;
  }

  /** @param at where in the image the index stands, for errors */
  async entry(index: number, at: number): Promise<Buffer> {
    const known = this.#known.get(index);
    if (known) return known;
    if (index >= this.#count) throw damaged(`entry ${index} of a table of ${this.#count}`, at);
    const byte = index * this.#entrySize;
    const pointer = this.#list + 8 * Math.floor(byte / METADATA_BLOCK);
    const block = number(await readExactly(this.#read, pointer, 8), 0, pointer);
    const entry = await this.#metadata.take({ block, offset: byte % METADATA_BLOCK }, this.#entrySize);
    this.#known.set(index, entry);
    return entry;
  }
}
