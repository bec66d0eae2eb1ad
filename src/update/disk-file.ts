import { constants, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { ReadAt } from '../formats/bytes.ts';
import { ALIGNED_UNIT, aligned } from './aligned.ts';
import type { Disk } from './disk.ts';
import { openDirect, shapeOf } from './disk-shape.ts';

const WINDOW = 1024 * 1024;

/** Bytes that are to be written, from a block's beginning. */
interface Gathered {
  buffer: Uint8Array;
  start: number;
  /** The first that was given. */
  from: number;
  to: number;
}

/** Bytes that are being written. */
interface Leaving extends Gathered {
  /** Never rejects: what goes wrong is kept for those who write. */
  over: Promise<void>;
}

/**
 * A disk of the machine, or an image in a file. Past the page cache (O_DIRECT): what is read back is what the medium holds, and
 * an update does not push the app's files out of memory. One operation at a time, and one write behind them: the disk is not idle
 * while the next bytes are made, nor are they waited for while it is busy.
 */
export class DiskFile implements Disk {
  readonly size: number;
  /** Whether the page cache is really passed by: a few file systems refuse it. */
  readonly direct: boolean;
  readonly #file: FileHandle;
  readonly #block: number;
  readonly #buffer = aligned(WINDOW);
  /** What of the disk is in it. */
  #known: { start: number; end: number } | undefined;
  /** Where the last read has ended. */
  #readTo = -1;
  /** The one that is filled, and the one that is written meanwhile. */
  #out = aligned(WINDOW);
  #spare = aligned(WINDOW);
  /** A block at the beginning or end of what is gathered. */
  readonly #edge = aligned(ALIGNED_UNIT);
  #gathered: Gathered | undefined;
  #leaving: Leaving | undefined;
  /** What could not be written, until somebody who writes is told. */
  #failure: { error: unknown } | undefined;
  /** Of `readAt`, which comes while an operation waits for the other. */
  readonly #small = aligned(ALIGNED_UNIT);
  readonly #waiting: (() => void)[] = [];
  #busy = false;

  private constructor(file: FileHandle, size: number, block: number, direct: boolean) {
    this.#file = file;
    this.size = size;
    this.#block = block;
    this.direct = direct;
  }

  /** @throws the system's error */
  static async open(path: string, sys = '/sys'): Promise<DiskFile> {
    const { size, block } = await shapeOf(path, sys);
    const whole = size % block === 0;
    const file = whole ? await openDirect(path) : undefined;
    return new DiskFile(file ?? (await open(path, constants.O_RDWR)), size, block, file !== undefined);
  }

  readonly readAt: ReadAt = (offset, length) => {
    const out = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    for (let at = 0; at < out.length; ) {
      const { start, end, within, take } = this.#window(offset + at, out.length - at, this.#small.length);
      for (let have = 0; have < end - start; ) {
        const count = readSync(this.#file.fd, this.#small, have, end - start - have, start + have);
        if (count === 0) throw ended(start + have);
        have += count;
      }
      out.set(this.#small.subarray(within, within + take), at);
      at += take;
    }
    // What is not on the disk yet, the older first.
    for (const some of [this.#leaving, this.#gathered]) {
      if (!overlap(some, offset, offset + out.length)) continue;
      const { buffer, start, from, to } = some;
      const [begin, end] = [Math.max(from, offset), Math.min(to, offset + out.length)];
      out.set(buffer.subarray(begin - start, end - start), begin - offset);
    }
    return out;
  };

  /** Whoever reads on where they have stopped is read ahead of, by the MiB. */
  read(offset: number, length: number, into?: Buffer): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      if (overlap(this.#gathered, offset, offset + length)) await this.#writeOut();
      const there = Math.max(0, Math.min(length, this.size - offset));
      const out = into && into.length >= there ? into.subarray(0, there) : Buffer.allocUnsafeSlow(there);
      const goesOn = offset === this.#readTo;
      for (let at = 0; at < there; ) {
        const from = offset + at;
        const known = this.#known;
        if (!known || from < known.start || from >= known.end) {
          this.#known = undefined;
          const { start, end } = this.#window(from, goesOn ? WINDOW : there - at, WINDOW);
          const last = Math.min(end, this.size);
          if (overlap(this.#leaving, start, last)) await this.#written();
          await this.#fill(this.#buffer, start, last);
          this.#known = { start, end: last };
        } else {
          const part = this.#buffer.subarray(
            from - known.start,
            Math.min(known.end, offset + there) - known.start,
          );
          out.set(part, at);
          at += part.length;
        }
      }
      // What is read by itself is read anew each time.
      if (!goesOn) this.#known = undefined;
      this.#readTo = offset + there;
      return out;
    });
  }

  /**
   * What follows what was written last is gathered to writes of a MiB: cards and disks want large ones. One of them is under way
   * while the next is gathered. What could not be written is told by the next `write` or, at the latest, `flush`.
   */
  write(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      this.#tell();
      await this.#take(offset, bytes);
    });
  }

  flush(): Promise<void> {
    return this.#inTurn(async () => {
      await this.#settle();
      this.#tell();
      await this.#sync();
    });
  }

  writeAlone(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      await this.#settle();
      await this.#sync();
      const ofOthers = this.#failure;
      this.#failure = undefined;
      try {
        await this.#take(offset, bytes);
        await this.#settle();
        this.#tell();
      } finally {
        this.#failure = ofOthers;
      }
      await this.#sync();
    });
  }

  close(): Promise<void> {
    return this.#inTurn(async () => {
      try {
        await this.#settle();
        this.#tell();
      } finally {
        await this.#file.close();
      }
    });
  }

  async #take(offset: number, bytes: Uint8Array): Promise<void> {
    if (offset < 0 || offset + bytes.length > this.size)
      throw new RangeError(`bytes ${offset} to ${offset + bytes.length} are not on the disk`);
    if (this.#gathered?.to !== offset) await this.#writeOut();
    for (let at = 0; at < bytes.length; ) {
      this.#gathered ??= await this.#gather(offset + at);
      const { buffer, start, to } = this.#gathered;
      const part = bytes.subarray(at, at + WINDOW - (to - start));
      buffer.set(part, to - start);
      this.#gathered.to += part.length;
      at += part.length;
      if (this.#gathered.to === start + WINDOW) await this.#writeOut();
    }
  }

  /** Nothing is gathered or under way any more. */
  async #settle(): Promise<void> {
    await this.#writeOut();
    await this.#written();
  }

  async #sync(): Promise<void> {
    await this.#file.datasync();
    // From here on only what the medium says counts.
    this.#known = undefined;
  }

  /** Begins at a block; what stands before the place in it stays as it is. */
  async #gather(from: number): Promise<Gathered> {
    const { start, end, within } = this.#window(from, 1, WINDOW);
    if (within > 0) {
      if (overlap(this.#leaving, start, end)) await this.#written();
      await this.#fill(this.#edge, start, end);
      this.#out.set(this.#edge.subarray(0, end - start));
    }
    return { buffer: this.#out, start, from, to: from };
  }

  /** Begins to write what is gathered, when what is before it is written. */
  async #writeOut(): Promise<void> {
    const gathered = this.#gathered;
    if (!gathered) return;
    await this.#written();
    if (this.#known && gathered.start < this.#known.end && gathered.to > this.#known.start)
      this.#known = undefined;
    let end: number;
    try {
      end = await this.#completed(gathered);
    } catch (error) {
      // For who wrote it, whoever it is that has it written now.
      this.#failure = { error };
      return;
    } finally {
      // Whatever comes of it: what cannot be written must not stand in the way of all that comes after it.
      this.#gathered = undefined;
    }
    const over = this.#pour(gathered.buffer, gathered.start, end).catch((error: unknown) => {
      this.#failure = { error };
    });
    this.#leaving = { ...gathered, over };
    [this.#out, this.#spare] = [this.#spare, this.#out];
  }

  /** What else is in the last block stays as it is; the first one is known whole, unless it was begun at its beginning. */
  async #completed({ buffer, start, from, to }: Gathered): Promise<number> {
    const block = this.direct ? this.#block : 1;
    const end = Math.ceil(to / block) * block;
    const last = end - block;
    if (to < end && (last > start || from === start)) {
      await this.#fill(this.#edge, last, end);
      buffer.set(this.#edge.subarray(to - last, block), to - start);
    }
    return end;
  }

  async #pour(buffer: Uint8Array, start: number, end: number): Promise<void> {
    for (let done = 0; done < end - start; )
      done += (await this.#file.write(buffer, done, end - start - done, start + done)).bytesWritten;
  }

  /** Nothing is under way to the disk any more. */
  async #written(): Promise<void> {
    await this.#leaving?.over;
    this.#leaving = undefined;
  }

  #tell(): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure) throw failure.error;
  }

  /** The blocks that hold the next bytes, as many as fit a buffer. */
  #window(offset: number, length: number, room: number) {
    const block = this.direct ? this.#block : 1;
    const start = Math.floor(offset / block) * block;
    const within = offset - start;
    const take = Math.min(length, room - within);
    return { start, end: Math.ceil((offset + take) / block) * block, within, take };
  }

  async #fill(into: Uint8Array, start: number, end: number): Promise<void> {
    for (let have = 0; have < end - start; ) {
      const place = start + have;
      const { bytesRead } = await this.#file.read(into, have, end - place, place);
      if (bytesRead === 0) throw ended(place);
      have += bytesRead;
    }
  }

  /** What waits begins before what is done is told: the disk goes on while somebody looks at what it has read. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#busy) await new Promise<void>((begin) => this.#waiting.push(begin));
    this.#busy = true;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy = false;
    }
  }
}

function overlap<T extends Gathered>(some: T | undefined, start: number, end: number): some is T {
  return some !== undefined && start < some.to && end > some.from;
}

function ended(offset: number): Error {
  return new Error(`the disk ends at byte ${offset}, before its size`);
}
