import { FwError } from '../errors.ts';

/** Where so many bytes may be put. */
export type Memory = (length: number) => Buffer;

/** Takes exact amounts from a stream of pieces. Holds one piece and what was asked for, never more. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #ended = false;
  /** Bytes taken so far. */
  offset = 0;
  /** How many bytes the whole file should have, once that is known; for the message when it is shorter. */
  expectedSize: number | undefined;

  constructor(source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>) {
    this.#source =
      Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  }

  /**
   * The next `length` bytes: a view of the source's piece when that holds them all, else one copy.
   * @param what names them, for the message
   * @param memory gives the place of the copy
   * @throws FwError `fw-truncated`
   */
  async take(length: number, what: string, memory: Memory = Buffer.allocUnsafeSlow): Promise<Uint8Array> {
    if (this.#piece.length >= length) return this.#cut(length);
    const taken = memory(length);
    let have = 0;
    while (have < length) {
      if (await this.atEnd()) throw this.#truncated(length - have, what);
      const part = this.#cut(Math.min(length - have, this.#piece.length));
      taken.set(part, have);
      have += part.length;
    }
    return taken;
  }

  async atEnd(): Promise<boolean> {
    while (this.#piece.length === 0 && !this.#ended) {
      const { done, value } = await this.#source.next();
      if (done) this.#ended = true;
      else this.#piece = value;
    }
    return this.#piece.length === 0;
  }

  /** Lets the source go, read to its end or not. */
  async close(): Promise<void> {
    if (!this.#ended) await this.#source.return?.();
    this.#ended = true;
  }

  #cut(length: number): Uint8Array {
    const part = this.#piece.subarray(0, length);
    this.#piece = this.#piece.subarray(length);
    this.offset += length;
    return part;
  }

  #truncated(missing: number, what: string): FwError {
    const whole = this.expectedSize;
    const of = whole === undefined ? `at least ${this.offset + missing}` : `${whole}`;
    return new FwError(
      'fw-truncated',
      `the firmware ends after ${this.offset} of ${of} bytes, within ${what}`,
      {
        where: `byte ${this.offset}`,
        expected: `${of} bytes`,
        remedy: 'Fetch or build the file again.',
      },
    );
  }
}
