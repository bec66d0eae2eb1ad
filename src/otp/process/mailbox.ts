import type { Message } from './message.ts';
import { Ring } from './ring.ts';

/** How long a mailbox may grow; many processes share one. */
export interface Bounds {
  /** How many messages may wait. */
  readonly limit: number;
  /** How many waiting messages are worth a report. */
  readonly watermark: number;
}

export const UNBOUNDED: Bounds = { limit: Infinity, watermark: Infinity };

/** The messages that wait for a process, in the order in which they came. */
export class Mailbox {
  readonly #waiting = new Ring<Message>();
  readonly #bounds: Bounds;
  readonly #crossed: (long: boolean) => void;
  #system = 0;
  /** The watermark was reached, and the mailbox is not yet down to half of it. */
  #long = false;

  /** @param crossed told when the watermark is reached, and when the mailbox is down to half of it again */
  constructor(bounds: Bounds, crossed: (long: boolean) => void) {
    this.#bounds = bounds;
    this.#crossed = crossed;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /** How many of them are system messages: those are for a suspended process too. */
  get system(): number {
    return this.#system;
  }

  push(message: Message): void {
    this.#waiting.push(message);
    if (message.kind === 'system') this.#system++;
    if (this.length >= this.#bounds.watermark && !this.#long) this.#cross(true);
  }

  next(): Message | undefined {
    const message = this.#waiting.shift();
    if (message?.kind === 'system') this.#system--;
    if (this.#long && this.length <= this.#bounds.watermark / 2) this.#cross(false);
    return message;
  }

  /** The next system message, past all that were sent before it. */
  nextSystem(): Message | undefined {
    const message = this.#waiting.take(({ kind }) => kind === 'system');
    if (message) this.#system--;
    return message;
  }

  [Symbol.iterator](): Iterator<Message> {
    return this.#waiting[Symbol.iterator]();
  }

  #cross(long: boolean): void {
    this.#long = long;
    this.#crossed(long);
  }
}
