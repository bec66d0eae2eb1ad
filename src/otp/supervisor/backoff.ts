/** How long a supervisor waits before it starts a child anew; OTP has no such thing and waits not at all. */
export interface Backoff {
  /** Before the first restart, milliseconds. */
  minMs: number;
  /** Never longer. A child that has been up for so long begins anew with `minMs`. */
  maxMs: number;
  /** How much longer each wait is than the one before. The default is 2. */
  factor?: number;
}

/** The wait before the next restart of one child. */
export class Wait {
  #lastMs = -Infinity;

  /** `upMs` is how long the child ran since it was last started. */
  next(backoff: Backoff | undefined, upMs: number): number {
    if (!backoff) return 0;
    const { minMs, maxMs, factor = 2 } = backoff;
    const begins = this.#lastMs < 0 || upMs >= maxMs;
    this.#lastMs = Math.min(maxMs, begins ? minMs : this.#lastMs * factor);
    return this.#lastMs;
  }
}
