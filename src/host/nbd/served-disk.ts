import { join } from 'node:path';
import type { ReadAt } from '../../formats/bytes.ts';
import { PowerLossDisk } from './power-loss-disk.ts';
import { NbdServer } from './server.ts';

export interface ServedDiskOptions {
  /** Raw image of a whole disk; only read. */
  image: string;
  /** Bytes; default the image's size. */
  size?: number;
  /** Folder for the socket; a short path. */
  folder: string;
  /** Decides what a power cut does. */
  random: () => number;
}

/** A disk for emulated machines, one after the other, whose power can be cut. */
export class ServedDisk implements AsyncDisposable {
  readonly disk: PowerLossDisk;
  /** Where an NBD client finds it. */
  readonly socket: string;
  /** What each power cut so far did, the oldest first. */
  readonly cuts: string[] = [];
  /** What clients did that the protocol does not have; there should be none. */
  readonly complaints: unknown[];
  readonly #server: NbdServer;
  readonly #random: () => number;

  private constructor(disk: PowerLossDisk, server: NbdServer, random: () => number, complaints: unknown[]) {
    this.disk = disk;
    this.socket = server.socket;
    this.complaints = complaints;
    this.#server = server;
    this.#random = random;
  }

  static async open({ image, size, folder, random }: ServedDiskOptions): Promise<ServedDisk> {
    const disk = new PowerLossDisk(image, size);
    const complaints: unknown[] = [];
    const server = await NbdServer.listen(disk, join(folder, 'disk.sock'), (error) => complaints.push(error));
    return new ServedDisk(disk, server, random, complaints);
  }

  readonly readAt: ReadAt = (offset, length) => this.disk.read(offset, length);

  get size(): number {
    return this.disk.size;
  }

  /** At once, for whatever machine uses it now; the next one finds what the cut left. */
  cutPower(): void {
    this.disk.onChange = undefined;
    if (this.#server.cutPower()) this.cuts.push(this.disk.losePower(this.#random));
  }

  /** The clients of now are about to go: what they flush on their way is not flushed. */
  leave(): void {
    this.#server.leave();
  }

  /** Has the power fail right after that many writes, trims and flushes from now on, the last flush undone; resolves when it has. */
  cutPowerAfter(changes: number): Promise<void> {
    let left = changes;
    return new Promise((resolve) => {
      this.disk.onChange = () => {
        if (--left > 0) return;
        this.cutPower();
        resolve();
      };
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
    this.disk[Symbol.dispose]();
  }
}
