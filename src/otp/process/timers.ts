import { MAX_TIMER_MS } from './deadlines.ts';

/** @throws RangeError for what Node's timers would take for 1 ms: too long, negative, or no number */
export function checkTimerMs(ms: number): void {
  if (!(ms >= 0 && ms <= MAX_TIMER_MS)) throw new RangeError(`not a time in milliseconds: ${ms}`);
}

/** The timers of one process, to be cleared together. */
export class Timers {
  readonly #running = new Set<NodeJS.Timeout>();

  /** Disposing of what it returns clears the timer. */
  after(ms: number, work: () => void): Disposable {
    const timer = setTimeout(() => {
      this.#running.delete(timer);
      work();
    }, ms);
    this.#running.add(timer);
    return {
      [Symbol.dispose]: () => {
        this.#running.delete(timer);
        clearTimeout(timer);
      },
    };
  }

  clear(): void {
    for (const timer of this.#running) clearTimeout(timer);
    this.#running.clear();
  }
}
