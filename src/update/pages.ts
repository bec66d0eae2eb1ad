import type { ReadAt } from '../formats/bytes.ts';

const PAGE = 64 * 1024;
const ZEROS = new Uint8Array(PAGE);

/** Sparse bytes in pages, copied when they are written: a disk of gigabytes that holds a few, and that is cheap to copy. */
export class Pages {
  readonly size: number;
  readonly #pages: Map<number, Uint8Array>;
  /** Pages that no copy shares: they may be written in place. */
  readonly #own = new Set<number>();
  /** What was there before anything was written; it may end early, and is zero behind its end. */
  readonly #under: ReadAt | undefined;

  constructor(size: number, under?: ReadAt, pages = new Map<number, Uint8Array>()) {
    this.size = size;
    this.#under = under;
    this.#pages = pages;
  }

  /** The same content; what is written to either is not seen in the other. */
  copy(): Pages {
    this.#own.clear();
    return new Pages(this.size, this.#under, new Map(this.#pages));
  }

  read(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    for (const { number, at, within, take } of pieces(offset, out.length)) {
      const page = this.#pages.get(number) ?? this.#under?.(number * PAGE, PAGE);
      if (page) out.set(page.subarray(within, within + take), at);
    }
    return out;
  }

  write(offset: number, bytes: Uint8Array): void {
    this.#mustHold(offset, bytes.length);
    for (const { number, at, within, take } of pieces(offset, bytes.length))
      this.#writable(number).set(bytes.subarray(at, at + take), within);
  }

  /** Zeros; whole pages of them cost nothing. */
  clear(offset: number, length: number): void {
    this.#mustHold(offset, length);
    for (const { number, within, take } of pieces(offset, length)) {
      if (take < PAGE) this.#writable(number).fill(0, within, within + take);
      else {
        this.#own.delete(number);
        this.#pages.set(number, ZEROS);
      }
    }
  }

  /**
   * What tells this content from that of other copies of the same pages: equal ones are equal to the last byte. The other way
   * round it is not so: pages that were written with what was there before may still count as others.
   */
  fingerprint(digest: (page: Uint8Array) => string): string {
    // From here on nobody writes in place what was digested.
    this.#own.clear();
    return [...this.#pages]
      .sort(([a], [b]) => a - b)
      .map(([number, page]) => `${number} ${digest(page)}`)
      .join();
  }

  /** Every page that was written since there was only what is under them, in no order. */
  *written(): Generator<{ offset: number; bytes: Uint8Array }> {
    for (const [number, bytes] of this.#pages)
      yield { offset: number * PAGE, bytes: bytes.subarray(0, Math.min(PAGE, this.size - number * PAGE)) };
  }

  #writable(number: number): Uint8Array {
    const there = this.#pages.get(number);
    if (there && this.#own.has(number)) return there;
    const page = new Uint8Array(PAGE);
    page.set(there ?? this.#under?.(number * PAGE, PAGE) ?? []);
    this.#pages.set(number, page);
    this.#own.add(number);
    return page;
  }

  #mustHold(offset: number, length: number): void {
    if (offset < 0 || offset + length > this.size) throw new RangeError('behind the end of the disk');
  }
}

/** The part of each page that a stretch of bytes covers; `at` counts from the stretch's beginning. */
function* pieces(offset: number, length: number) {
  for (let at = 0; at < length; ) {
    const within = (offset + at) % PAGE;
    const take = Math.min(PAGE - within, length - at);
    yield { number: Math.floor((offset + at) / PAGE), at, within, take };
    at += take;
  }
}
