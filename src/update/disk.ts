import type { ReadAt } from '../formats/bytes.ts';

/**
 * A disk as the update engine uses it: the real one on a device, a simulated one in tests. Offsets and lengths are bytes. What is
 * asked for is done one after the other, in the order of the asking: a read may be asked for into the place of what is being written.
 */
export interface Disk {
  readonly size: number;
  /** For what is small and parsed at once: partition tables, directories. */
  readonly readAt: ReadAt;
  /**
   * From the medium, past every cache: what a power cut would leave behind once all is flushed.
   * @param into where the bytes may be put: who reads a whole slot has no garbage made of it
   */
  read(offset: number, length: number, into?: Buffer): Promise<Uint8Array>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Resolves when everything that was written is on the medium. */
  flush(): Promise<void>;
  /**
   * What was written before is on the medium, then nothing but these bytes is under way, and when it resolves they are there. A
   * card that tears more than them finds nothing else in flight; and whoever else writes is told nothing of them.
   */
  writeAlone(offset: number, bytes: Uint8Array): Promise<void>;
}
