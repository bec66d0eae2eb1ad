/** A time without work, of one process. */
export class Silence {
  readonly #ms: number;
  readonly #isIdle: () => boolean;
  readonly #over: () => void;
  #since = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** @param over called whenever there was nothing to do for `ms` */
  constructor(ms: number, isIdle: () => boolean, over: () => void) {
    this.#ms = ms;
    this.#isIdle = isIdle;
    this.#over = over;
    this.#listen(ms);
  }

  /** Something was done just now. */
  begins(): void {
    this.#since = performance.now();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** One timer, moved when it finds that a message came meanwhile: cheaper than moving it with each message. */
  #listen(ms: number): void {
    this.#timer = setTimeout(() => this.#look(), ms);
  }

  #look(): void {
    const left = this.#isIdle() ? this.#since + this.#ms - performance.now() : this.#ms;
    if (left > 0) {
      this.#listen(Math.max(1, left));
      return;
    }
    this.#over();
    // Unless that was the end of it.
    if (this.#timer) this.#listen(this.#ms);
  }
}
