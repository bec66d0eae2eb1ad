import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Pages } from '../../update/pages.ts';
import { apply, pickUnit, tear, type Unflushed } from '../../update/tear.ts';
import { copySparse } from '../sparse.ts';
import type { Store } from './store.ts';

/** A change, and whether it was durable although nothing before it was flushed (FUA). */
type Cached = Unflushed & { durable: boolean };

/** A disk at a moment; cheap, because the pages that did not change are shared. */
export interface DiskState {
  readonly flushed: Pages;
  readonly now: Pages;
  readonly cached: readonly Cached[];
}

/** How many of a hundred cuts lose all that was not flushed, and how many none of it. */
const PLAIN_PERCENT = 15;

/**
 * A disk that starts as an image, which is only read, and that has a cache: at a power cut, what was not flushed is lost or
 * torn, in any order.
 */
export class PowerLossDisk implements Store, Disposable {
  readonly size: number;
  /** Writes, trims and flushes so far. */
  changes = 0;
  /** Called after each write and trim, and before a flush is done. */
  onChange: (() => void) | undefined;
  readonly #image: string;
  readonly #descriptor: number;
  /** What certainly outlives a cut. */
  #flushed: Pages;
  /** What is read. */
  #now: Pages;
  #cached: Cached[] = [];

  /** @param size bytes, at least the image's: the disk may be larger than what was written to it */
  constructor(image: string, size?: number) {
    this.#image = image;
    this.#descriptor = openSync(image, 'r');
    this.size = size ?? fstatSync(this.#descriptor).size;
    this.#flushed = new Pages(this.size, (offset, length) => this.#readImage(offset, length));
    this.#now = this.#flushed.copy();
  }

  read(offset: number, length: number): Uint8Array {
    return this.#now.read(offset, length);
  }

  write(offset: number, bytes: Uint8Array, durable = false): void {
    this.#do({ type: 'write', offset, bytes: Uint8Array.from(bytes), durable });
  }

  clear(offset: number, length: number, durable = false): void {
    this.#do({ type: 'clear', offset, length, durable });
  }

  flush(): void {
    // First: the power may fail because of it, and then there is nothing more to flush.
    this.#changed();
    for (const change of this.#cached) apply(change, this.#flushed);
    this.#cached = [];
  }

  /** The power fails now. What it did to the disk, for a message. */
  losePower(random: () => number): string {
    const unflushed = this.#cached.filter(({ durable }) => !durable).length;
    const dice = random() * 100;
    const unit = pickUnit(random);
    for (const change of this.#cached) {
      if (change.durable) apply(change, this.#flushed);
      else if (dice >= 2 * PLAIN_PERCENT) tear(change, this.#flushed, unit, random);
      else if (dice >= PLAIN_PERCENT) apply(change, this.#flushed);
    }
    this.#cached = [];
    this.#now = this.#flushed.copy();
    if (unflushed === 0) return 'nothing was unflushed';
    if (dice < PLAIN_PERCENT) return `all of ${unflushed} unflushed writes lost`;
    if (dice < 2 * PLAIN_PERCENT) return `none of ${unflushed} unflushed writes lost`;
    return `of ${unflushed} unflushed writes some lost, some torn at ${unit} bytes`;
  }

  state(): DiskState {
    return { flushed: this.#flushed.copy(), now: this.#now.copy(), cached: [...this.#cached] };
  }

  /** Goes back, or forth, to a state of this disk. */
  restore({ flushed, now, cached }: DiskState): void {
    this.#flushed = flushed.copy();
    this.#now = now.copy();
    this.#cached = [...cached];
  }

  /** Writes what is read now to an image of its own. */
  async save(file: string): Promise<void> {
    await copySparse(this.#image, file);
    await using image = await open(file, 'r+');
    await image.truncate(this.size);
    for (const { offset, bytes } of this.#now.written()) {
      for (let done = 0; done < bytes.length; )
        done += (await image.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  #do(change: Cached): void {
    this.#cached.push(change);
    apply(change, this.#now);
    this.#changed();
  }

  #changed(): void {
    this.changes++;
    this.onChange?.();
  }

  #readImage(offset: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const count = readSync(this.#descriptor, bytes, done, length - done, offset + done);
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  }
}
