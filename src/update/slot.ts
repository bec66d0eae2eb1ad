import type { Chunk } from '../archive/chunk-table.ts';
import type { Head } from '../archive/head.ts';
import type { Payload } from '../archive/manifest.ts';
import { sha256 } from '../archive/sha256.ts';
import { type Slot, swapVariants } from '../archive/variants.ts';
import { FwError } from '../errors.ts';
import type { Extent } from '../formats/bytes.ts';
import type { Disk } from './disk.ts';
import type { SlotPlaces } from './places.ts';
import { encodeSlotHead, readSlotHead, slotHeadExtent } from './slot-head.ts';

/** A chunk of a payload. */
export interface ChunkId {
  payload: Payload;
  index: number;
  chunk: Chunk;
}

/** One slot of a disk, by payloads and chunks. Bytes are those of the .fw: what differs between slots is put in and taken out here. */
export class SlotStore {
  readonly slot: Slot;
  readonly #disk: Disk;
  readonly #places: SlotPlaces;

  constructor(disk: Disk, slot: Slot, places: SlotPlaces) {
    this.#disk = disk;
    this.slot = slot;
    this.#places = places;
  }

  /** Of what the slot holds, or is being given; undefined where there is none. Not yet verified. */
  head(): Promise<Uint8Array | undefined> {
    return readSlotHead(this.#disk, this.#places.root);
  }

  async writeHead(bytes: Uint8Array): Promise<void> {
    await this.#disk.write(slotHeadExtent(this.#places.root).offset, encodeSlotHead(bytes));
  }

  /**
   * A chunk as it should be, or undefined where the slot holds something else.
   * @param into as for `Disk.read`
   */
  async read(
    { payload, chunk }: Pick<ChunkId, 'payload' | 'chunk'>,
    into?: Buffer,
  ): Promise<Uint8Array | undefined> {
    const there = await this.#disk.read(this.#offset(payload, chunk), chunk.size, into);
    const bytes = this.#as(there, payload, chunk, 'a');
    return bytes && (await sha256(bytes)).equals(chunk.sha256) ? bytes : undefined;
  }

  /** Bytes of a payload of the firmware that the slot holds, whatever they are. */
  async readRange(payload: Payload, { offset, length }: Extent): Promise<Uint8Array> {
    if (offset + length > payload.size)
      throw new RangeError(`${payload.name} ends before byte ${offset + length}`);
    const there = await this.#disk.read(this.#place(payload).offset + offset, length);
    return this.slot === 'a' ? there : swapVariants(there, offset, payload, this.slot, 'a');
  }

  /** @param bytes verified */
  async write({ payload, chunk }: ChunkId, bytes: Uint8Array): Promise<void> {
    const own = this.slot === 'a' ? bytes : swapVariants(bytes, chunk.offset, payload, 'a', 'b');
    await this.#disk.write(this.#offset(payload, chunk), own);
  }

  #offset(payload: Payload, chunk: Chunk): number {
    const place = this.#place(payload);
    if (chunk.offset + chunk.size > place.length) throw new RangeError(`${payload.name} leaves its slot`);
    return place.offset + chunk.offset;
  }

  #place({ name }: Payload): Extent {
    const place = Object.hasOwn(this.#places, name) ? this.#places[name as keyof SlotPlaces] : undefined;
    if (!place) throw new Error(`no payload of a slot: ${name}`);
    return place;
  }

  /** Of another firmware the bytes at a variant's place are neither: then it is not the chunk that is asked for. */
  #as(there: Uint8Array, payload: Payload, chunk: Chunk, slot: Slot): Uint8Array | undefined {
    if (this.slot === slot) return there;
    try {
      return swapVariants(there, chunk.offset, payload, this.slot, slot);
    } catch (error) {
      if (error instanceof FwError && error.code === 'fw-variant-mismatch') return undefined;
      throw error;
    }
  }
}

/** What a device keeps of a firmware in its slots: the boot loader's payload belongs to the disk, and is never updated. */
export function chunksOf({ manifest, chunks }: Head): ChunkId[] {
  return manifest.payloads.flatMap((payload, at) =>
    payload.name === 'loader'
      ? []
      : (chunks[at] ?? []).map((chunk, index): ChunkId => ({ payload, index, chunk })),
  );
}
