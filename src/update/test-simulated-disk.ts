/** For tests only: a disk that remembers every write and flush, to be looked at as it would be after a cut at any of them. */
import type { Slot } from '../archive/variants.ts';
import type { ReadAt } from '../formats/bytes.ts';
import type { Disk } from './disk.ts';
import type { Pages } from './pages.ts';

export type DiskEvent =
  | { type: 'write'; offset: number; bytes: Uint8Array }
  | { type: 'flush' }
  /** Not of the disk: the platform's one-shot was armed between the writes. */
  | { type: 'arm'; slot: Slot };

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

  writeAlone(offset: number, bytes: Uint8Array): Promise<void> {
    return writeBetweenFlushes(this, offset, bytes);
  }
}

/** `writeAlone` of a disk that only one writes to. */
export async function writeBetweenFlushes(
  disk: Pick<Disk, 'write' | 'flush'>,
  offset: number,
  bytes: Uint8Array,
): Promise<void> {
  await disk.flush();
  await disk.write(offset, bytes);
  await disk.flush();
}
