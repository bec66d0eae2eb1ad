import type { PendingCall } from './pending-call.ts';
import { type ExitReason, thrownReason } from './reason.ts';

/** An answer that comes later, while the process goes on with other messages. */
export class Later<T> {
  readonly promise: Promise<T>;
  constructor(promise: Promise<T>) {
    this.promise = promise;
  }
}

/** The calls of one process whose answers were promised for later. */
export class PromisedAnswers {
  readonly #calls = new Set<PendingCall>();

  /** @param failed told of a rejection, unless the process has ended before it */
  add(call: PendingCall, promise: Promise<unknown>, failed: (error: Error) => void): void {
    this.#calls.add(call);
    promise.then(
      (value) => {
        if (this.#calls.delete(call)) call.answer(value);
      },
      (thrown: unknown) => {
        if (this.#calls.delete(call)) failed(thrownReason(thrown));
      },
    );
  }

  /** The process has ended. */
  refuse(reason: ExitReason): void {
    const calls = [...this.#calls];
    this.#calls.clear();
    for (const call of calls) call.refuse(reason);
  }
}
