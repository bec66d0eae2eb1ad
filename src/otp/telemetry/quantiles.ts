/** How far a quantile may be off: this part of its value. */
export const QUANTILE_ERROR = 0.01;

const GAMMA = (1 + QUANTILE_ERROR) / (1 - QUANTILE_ERROR);
const LOG_GAMMA = Math.log(GAMMA);
/** What is nearer to zero counts as zero; what is farther away counts as that far. */
const LEAST = 1e-9;
const MOST = 1e15;

/**
 * The quantiles of any number of values in bounded memory: a histogram whose buckets grow by a constant factor, so that the
 * middle of a bucket is within 1% of all that is in it (the DDSketch of Masson, Rim and Lee, VLDB 2019). Between 1e-9 and
 * 1e15 there are 2,764 buckets for each sign at most; what is measured in practice needs a few dozen.
 */
export class Quantiles {
  #above = new Map<number, number>();
  #below = new Map<number, number>();
  #zeros = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** How many buckets are in use. */
  get buckets(): number {
    return this.#above.size + this.#below.size;
  }

  add(value: number): void {
    this.#count++;
    const size = Math.min(Math.abs(value), MOST);
    if (size < LEAST) {
      this.#zeros++;
      return;
    }
    const side = value > 0 ? this.#above : this.#below;
    const bucket = Math.ceil(Math.log(size) / LOG_GAMMA);
    side.set(bucket, (side.get(bucket) ?? 0) + 1);
  }

  /**
   * The values below which these parts of all values lie, each between 0 and 1, in ascending order; undefined while there
   * are no values.
   */
  at(...parts: number[]): (number | undefined)[] {
    const sorted = this.#sorted();
    let seen = 0;
    let next = 0;
    return parts.map((part) => {
      const rank = part * (this.#count - 1);
      for (; next < sorted.length; next++) {
        const [value, count] = sorted[next] as [number, number];
        if (seen + count > rank) return value;
        seen += count;
      }
      return undefined;
    });
  }

  /** The buckets, the least first. */
  #sorted(): [value: number, count: number][] {
    const middle = (bucket: number): number => (2 * GAMMA ** bucket) / (GAMMA + 1);
    const below = [...this.#below].sort(([a], [b]) => b - a);
    const above = [...this.#above].sort(([a], [b]) => a - b);
    return [
      ...below.map(([bucket, count]): [number, number] => [-middle(bucket), count]),
      ...(this.#zeros > 0 ? ([[0, this.#zeros]] as [number, number][]) : []),
      ...above.map(([bucket, count]): [number, number] => [middle(bucket), count]),
    ];
  }
}
