/**
 * Bounds what is under way: work is admitted in the order it asks, while the weights inside fit the capacity (work
 * heavier than that goes alone). After a failure nothing more is admitted, so that a failed write soon stands still.
 */
export class Gate {
  readonly #capacity: number;
  #free: number;
  #failure: { error: unknown } | undefined;
  readonly #waiting: { weight: number; admit: () => void }[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#free = capacity;
  }

  async run<T>(weight: number, work: () => Promise<T>): Promise<T> {
    const taken = Math.min(weight, this.#capacity);
    if (this.#waiting.length > 0 || this.#free < taken)
      await new Promise<void>((admit) => this.#waiting.push({ weight: taken, admit }));
    else this.#free -= taken;
    try {
      if (this.#failure !== undefined) throw this.#failure.error;
      return await work();
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    } finally {
      this.#free += taken;
      this.#admitNext();
    }
  }

  #admitNext(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && next.weight <= this.#free;
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#free -= next.weight;
      next.admit();
    }
  }
}

/** Like Promise.all, but when one fails it waits for the rest before it throws: nothing goes on behind the caller's back. */
export async function all<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(work);
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason;
    return result.value;
  });
}
