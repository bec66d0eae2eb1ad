import { type DeadlineList, deadlineList, type Expiring } from './deadlines.ts';
import { CallError, TimeoutError } from './errors.ts';
import type { ExitReason } from './reason.ts';

/** A call that has no answer yet: it is answered, refused because the callee ended, or expires, whichever is first. */
export class PendingCall implements Expiring {
  before: Expiring | undefined;
  after: Expiring | undefined;
  at = 0;
  list: DeadlineList | undefined;
  readonly #callee: { toString(): string };
  readonly #message: string;
  readonly #timeoutMs: number;
  readonly #resolve: (value: unknown) => void;
  readonly #reject: (error: Error) => void;

  constructor(
    callee: { toString(): string },
    message: string,
    timeoutMs: number,
    resolve: (value: unknown) => void,
    reject: (error: Error) => void,
  ) {
    this.#callee = callee;
    this.#message = message;
    this.#timeoutMs = timeoutMs;
    this.#resolve = resolve;
    this.#reject = reject;
    if (timeoutMs !== Infinity) deadlineList(timeoutMs).add(this);
  }

  answer(value: unknown): void {
    this.list?.remove(this);
    this.#resolve(value);
  }

  fail(error: Error): void {
    this.list?.remove(this);
    this.#reject(error);
  }

  /** The callee has ended, or was not there. */
  refuse(reason: ExitReason): void {
    this.fail(new CallError(String(this.#callee), this.#message, reason));
  }

  expire(): void {
    this.#reject(new TimeoutError(String(this.#callee), this.#message, this.#timeoutMs));
  }
}
