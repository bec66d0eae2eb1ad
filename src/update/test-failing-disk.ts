/** For tests only: a disk, and whatever else an update asks of its machine, of which one operation fails. */
import type { Disk } from './disk.ts';
import { writeBetweenFlushes } from './test-simulated-disk.ts';

/** Counts what is asked for. An error is one operation that fails; who is killed gets nothing done any more. */
export class Failing {
  /** Operations since `begin`. */
  count = 0;
  #at = Infinity;
  #kind: 'error' | 'killed' = 'error';

  /** @param at the operation that fails, counted from 1 from now on */
  begin(at: number, kind: 'error' | 'killed'): void {
    this.count = 0;
    this.#at = at;
    this.#kind = kind;
  }

  /** To be called before each operation. */
  step(): void {
    this.count++;
    const fails = this.#kind === 'error' ? this.count === this.#at : this.count >= this.#at;
    if (fails) throw new Error(this.#kind === 'error' ? 'input/output error' : 'killed');
  }

  disk(under: Disk): Disk {
    const disk: Disk = {
      size: under.size,
      readAt: under.readAt,
      read: async (offset, length) => {
        this.step();
        return under.read(offset, length);
      },
      write: async (offset, bytes) => {
        this.step();
        await under.write(offset, bytes);
      },
      flush: async () => {
        this.step();
        await under.flush();
      },
      writeAlone: (offset, bytes) => writeBetweenFlushes(disk, offset, bytes),
    };
    return disk;
  }
}
