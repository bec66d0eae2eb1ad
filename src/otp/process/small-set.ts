/** A set that has one member mostly, as a process has one link, to its supervisor: a `Set` would be most of what it costs. */
export class SmallSet<T extends object> {
  #only: T | undefined;
  #many: Set<T> | undefined;

  get size(): number {
    return this.#many?.size ?? (this.#only ? 1 : 0);
  }

  add(value: T): void {
    if (this.#many) this.#many.add(value);
    else if (!this.#only) this.#only = value;
    else if (this.#only !== value) {
      this.#many = new Set([this.#only, value]);
      this.#only = undefined;
    }
  }

  delete(value: T): void {
    if (this.#many) this.#many.delete(value);
    else if (this.#only === value) this.#only = undefined;
  }

  [Symbol.iterator](): Iterator<T> {
    if (this.#many) return this.#many[Symbol.iterator]();
    return (this.#only ? [this.#only] : [])[Symbol.iterator]();
  }
}
