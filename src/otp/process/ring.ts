/** Slots that an empty ring gives back. */
const LARGE = 1024;

/** A first-in, first-out queue in one array whose length is a power of two: no shifting, no allocation while it fits. */
export class Ring<T> {
  readonly #least: number;
  #slots: (T | undefined)[];
  #head = 0;
  #length = 0;

  /** @param capacity a power of two */
  constructor(capacity = 8) {
    this.#least = capacity;
    this.#slots = new Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  push(value: T): void {
    if (this.#length === this.#slots.length) this.#resize(this.#slots.length * 2);
    this.#slots[(this.#head + this.#length++) & (this.#slots.length - 1)] = value;
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const value = this.#slots[this.#head];
    this.#slots[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#slots.length - 1);
    // What one flood has made large must not stay so in every process for ever.
    if (--this.#length === 0 && this.#slots.length > LARGE) this.#resize(this.#least);
    return value;
  }

  /** The value that `shift` would take out. */
  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#slots[this.#head];
  }

  /** Takes out the first value that `fits`; slow, for what is rare. */
  take(fits: (value: T) => boolean): T | undefined {
    const all = [...this];
    const at = all.findIndex(fits);
    if (at < 0) return undefined;
    const [taken] = all.splice(at, 1);
    this.#slots = new Array(this.#slots.length);
    for (let i = 0; i < all.length; i++) this.#slots[i] = all[i];
    this.#head = 0;
    this.#length = all.length;
    return taken;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let i = 0; i < this.#length; i++)
      yield this.#slots[(this.#head + i) & (this.#slots.length - 1)] as T;
  }

  #resize(capacity: number): void {
    const slots: (T | undefined)[] = new Array(capacity);
    for (let i = 0; i < this.#length; i++)
      slots[i] = this.#slots[(this.#head + i) & (this.#slots.length - 1)];
    this.#slots = slots;
    this.#head = 0;
  }
}
