import type { Content } from '../tree.ts';

import { blockLengths, type PackedUnit, storedSize } from './entry.ts';
import type { FileData } from './inode.ts';
import { contentKey, type Layout, type Unit } from './layout.ts';
import type { StoredFile } from './options.ts';

const LARGEST_COUNT = 10;

interface PlacedUnit extends PackedUnit {
  unit: Unit;
  /** Offset in the image. */
  start: number;
  /** Which fragment block it is, if it is one. */
  fragment: number | undefined;
}

/** The data area: every unit's blocks, one after the other, from `start` on in the image. */
export class DataArea {
  readonly pieces: Uint8Array[];
  /** Offset in the image of what follows. */
  readonly end: number;
  /** Offsets in the image at which a block starts; a hole's is that of what follows it. */
  readonly boundaries: number[] = [];
  /** The fragment table: one 16-byte entry a fragment block. */
  readonly fragmentTable: Buffer;
  readonly fragments: number;
  readonly #placed: PlacedUnit[] = [];
  readonly #places: Layout['places'];
  readonly #blockSize: number;

  constructor(layout: Layout, packed: readonly PackedUnit[], start: number, blockSize: number) {
    this.#places = layout.places;
    this.#blockSize = blockSize;
    this.pieces = packed.map(({ bytes }) => bytes);
    const entries: Buffer[] = [];
    let at = start;
    for (const [i, unit] of layout.units.entries()) {
      const { sizes, bytes } = packed[i] ?? { sizes: [], bytes: new Uint8Array() };
      const fragment =
        unit.kind === 'fragment' ? entries.push(fragmentEntry(at, sizes[0] ?? 0)) - 1 : undefined;
      this.#placed.push({ unit, sizes, bytes, start: at, fragment });
      for (const word of sizes) {
        this.boundaries.push(at);
        at += storedSize(word);
      }
    }
    this.end = at;
    this.fragments = entries.length;
    this.fragmentTable = Buffer.concat(entries);
  }

  /** What a file's inode says about where its content is. */
  find(content: Content): FileData {
    const empty: FileData = { size: content.size, start: 0, blockSizes: [], sparse: 0, fragment: undefined };
    const place = this.#places.get(contentKey(content));
    const placed = place && this.#placed[place.unit];
    if (place === undefined || placed === undefined) return empty;
    if (placed.fragment !== undefined)
      return { ...empty, fragment: { index: placed.fragment, offset: place.offset } };
    const holes = blockLengths(content.size, this.#blockSize).filter((_, i) => placed.sizes[i] === 0);
    const sparse = holes.reduce((sum, length) => sum + length, 0);
    return { ...empty, start: placed.start, blockSizes: placed.sizes, sparse };
  }

  largest(): StoredFile[] {
    const files = this.#placed.flatMap(({ unit, bytes }) =>
      unit.files.map(({ path, content: { size } }) => ({
        path,
        size,
        stored: Math.round((bytes.length * size) / unit.size),
      })),
    );
    return files.sort((a, b) => b.stored - a.stored || (a.path < b.path ? -1 : 1)).slice(0, LARGEST_COUNT);
  }
}

function fragmentEntry(start: number, word: number): Buffer {
  const out = Buffer.alloc(16);
  out.writeBigUInt64LE(BigInt(start), 0);
  out.writeUInt32LE(word, 8);
  return out;
}
