import type { Memory } from '../archive/byte-reader.ts';

/** How a disk, a link and a processor are busy at the same time, with a bounded number of chunks in memory. */

/**
 * Makes something of each item, in order, and begins with those that follow while it is used.
 * @param most that are being made, or wait, at a time
 */
export async function* ahead<T, U>(
  items: readonly T[],
  most: number,
  make: (item: T) => Promise<U>,
): AsyncGenerator<{ item: T; made: U }, void, undefined> {
  const begun: Promise<U>[] = [];
  for (const [at, item] of items.entries()) {
    for (const next of items.slice(at + begun.length, at + most)) {
      const making = make(next);
      // Thrown where it is its turn; when that never comes, nobody needs to know.
      making.catch(() => {});
      begun.push(making);
    }
    const first = begun.shift();
    if (first) yield { item, made: await first };
  }
}

/** Lets one piece of work go on while the next is prepared, and no more than one. */
export class Behind {
  #last: Promise<unknown> = Promise.resolve();

  /** Begins it when the one before is done: all is done in order. */
  async begin(work: () => Promise<unknown>): Promise<void> {
    await this.#last;
    this.#last = work();
    // Whoever begins the next, or waits for the end, is told.
    this.#last.catch(() => {});
  }

  get ended(): Promise<unknown> {
    return this.#last;
  }

  /** Resolves when nothing is under way any more, whatever has come of it. */
  get settled(): Promise<void> {
    return this.#last.then(
      () => {},
      () => {},
    );
  }
}

/**
 * The same few places by turns: what was put into one is there until so many more have been asked for. Memory that is new for
 * every chunk is what a device's garbage collector would be busy with.
 */
export function byTurns(count: number): Memory {
  const places = Array.from({ length: count }, () => Buffer.alloc(0));
  let turn = 0;
  return (length) => {
    const at = turn++ % count;
    const there = places[at];
    const place = there && there.length >= length ? there : Buffer.allocUnsafeSlow(length);
    places[at] = place;
    return place.subarray(0, length);
  };
}
