/** How many restarts a supervisor takes before it gives up: more than `maxRestarts` in any `maxSeconds`. */
export interface IntensityOptions {
  /** The default is 3. */
  maxRestarts?: number | undefined;
  /** The default is 5. */
  maxSeconds?: number | undefined;
}

export class Intensity {
  readonly maxRestarts: number;
  readonly maxSeconds: number;
  #restarts: number[] = [];

  constructor(options: IntensityOptions) {
    this.maxRestarts = options.maxRestarts ?? 3;
    this.maxSeconds = options.maxSeconds ?? 5;
  }

  /** Counts a restart, and says whether it may still be made. Of a monotonic clock: one that is set does not matter. */
  restart(nowMs: number): boolean {
    if (this.maxRestarts === Infinity) return true;
    const since = nowMs - this.maxSeconds * 1_000;
    this.#restarts = this.#restarts.filter((at) => at >= since);
    this.#restarts.push(nowMs);
    return this.#restarts.length <= this.maxRestarts;
  }
}
