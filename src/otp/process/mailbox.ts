import type { Message } from './message.ts';
import { Ring } from './ring.ts';

/** The messages that wait for a process, in the order in which they came. */
export class Mailbox {
  readonly #waiting = new Ring<Message>();
  #system = 0;

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
  }

  next(): Message | undefined {
    const message = this.#waiting.shift();
    if (message?.kind === 'system') this.#system--;
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
}
