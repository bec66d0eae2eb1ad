/** For tests only: a disk that remembers every write and flush, to be looked at as it would be after a cut at any of them. */
import type { Slot } from '../archive/variants.ts';
import type { ReadAt } from '../formats/bytes.ts';
import type { Disk } from './disk.ts';

export type DiskEvent =
  | { type: 'write'; offset: number; bytes: Uint8Array }
  | { type: 'flush' }
  /** Not of the disk: the platform's one-shot was armed between the writes. */
  | { type: 'arm'; slot: Slot };

const PAGE = 64 * 1024;

/** Sparse bytes in pages: a disk of gigabytes that holds a few, and that is cheap to copy. */
export class Pages {
  readonly size: number;
  #pages: Map<number, Uint8Array>;

  constructor(size: number, pages = new Map<number, Uint8Array>()) {
    this.size = size;
    this.#pages = pages;
  }

  /** The same content; what is written to either is not seen in the other. */
  copy(): Pages {
    return new Pages(this.size, new Map(this.#pages));
  }

  read(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    for (let at = 0; at < out.length; ) {
      const within = (offset + at) % PAGE;
      const take = Math.min(PAGE - within, out.length - at);
      const page = this.#pages.get(Math.floor((offset + at) / PAGE));
      if (page) out.set(page.subarray(within, within + take), at);
      at += take;
    }
    return out;
  }

  write(offset: number, bytes: Uint8Array): void {
    if (offset + bytes.length > this.size) throw new RangeError('behind the end of the disk');
    for (let at = 0; at < bytes.length; ) {
      const number = Math.floor((offset + at) / PAGE);
      const within = (offset + at) % PAGE;
      const take = Math.min(PAGE - within, bytes.length - at);
      const page = Uint8Array.from(this.#pages.get(number) ?? new Uint8Array(PAGE));
      page.set(bytes.subarray(at, at + take), within);
      this.#pages.set(number, page);
      at += take;
    }
  }
}

export class SimulatedDisk implements Disk {
  readonly size: number;
  readonly pages: Pages;
  /** All that was asked of it since it was made. */
  readonly log: DiskEvent[] = [];

  constructor(pages: Pages) {
    this.pages = pages;
    this.size = pages.size;
  }

  readonly readAt: ReadAt = (offset, length) => this.pages.read(offset, length);

  async read(offset: number, length: number): Promise<Uint8Array> {
    return this.pages.read(offset, length);
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    const kept = Uint8Array.from(bytes);
    this.log.push({ type: 'write', offset, bytes: kept });
    this.pages.write(offset, kept);
  }

  async flush(): Promise<void> {
    this.log.push({ type: 'flush' });
  }
}
