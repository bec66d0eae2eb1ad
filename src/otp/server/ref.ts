import { Address } from '../process/address.ts';
import { CallError } from '../process/errors.ts';
import type { Later } from '../process/later.ts';
import { Message } from '../process/message.ts';
import { whereis } from '../process/names.ts';
import { PendingCall } from '../process/pending-call.ts';
import { currentProcess, type Process } from '../process/process.ts';
import type { Server } from './server.ts';

/** How long a call waits for its answer unless it says otherwise, as in OTP. */
export const CALL_TIMEOUT_MS = 5_000;

/** The messages of a server: its public methods. */
export type MessageName<T> = {
  [K in Exclude<keyof T, keyof Server>]: T[K] extends (...args: never[]) => unknown ? K : never;
}[Exclude<keyof T, keyof Server>] &
  string;
type Args<F> = F extends (...args: infer A) => unknown ? A : never;
/** What a call gives: what the handler returns, unwrapped. */
export type Answer<F> = F extends (...args: never[]) => infer R
  ? Awaited<R> extends Later<infer V>
    ? V
    : Awaited<R>
  : never;

/** Leads to a server of a known class, so that calls are typed end to end. */
export class ServerRef<T extends Server> extends Address {
  /** Never there: without it, TypeScript would take a reference to one server for a reference to any other. */
  declare protected readonly serves: T;
  readonly #target: Process | string | (() => Process | undefined);
  readonly #timeoutMs: number;

  constructor(target: Process | string | (() => Process | undefined), timeoutMs = CALL_TIMEOUT_MS) {
    super();
    if (!(timeoutMs >= 0)) throw new RangeError(`not a time in milliseconds: ${timeoutMs}`);
    this.#target = target;
    this.#timeoutMs = timeoutMs;
  }

  /**
   * Sends a message and waits for its answer.
   * @throws CallError when the server is not there, or ends before it answers; TimeoutError; OverloadError;
   *   ReplyError as the handler threw it. A server that calls itself is refused before its handler's first `await`;
   *   after it, nobody can know who calls, and it waits for itself until the time is over.
   */
  call<N extends MessageName<T>>(name: N, ...args: Args<T[N]>): Promise<Answer<T[N]>> {
    return new Promise((resolve, reject) => {
      const target = this.find();
      if (!target) {
        reject(new CallError(this.toString(), name, 'noproc'));
        return;
      }
      if (target === currentProcess()) {
        // It could not answer before this very handler is done, which waits for the answer.
        reject(new CallError(this.toString(), name, new Error('a server cannot call itself')));
        return;
      }
      const call = new PendingCall(
        target,
        name,
        this.#timeoutMs,
        resolve as (value: unknown) => void,
        reject,
      );
      target.deliver(new Message('call', name, args, call));
    });
  }

  /**
   * Sends a message and goes on. What is not there drops it.
   * @throws OverloadError
   */
  cast<N extends MessageName<T>>(name: N, ...args: Args<T[N]>): void {
    this.find()?.deliver(new Message('cast', name, args));
  }

  /** Sends something to `info` of the server. */
  send(message: T extends { info(message: infer M): unknown } ? M : unknown): void {
    this.find()?.deliver(new Message('info', '', [message]));
  }

  /** The same server, called with another patience: `ref.within(100).call('get')`; `Infinity` waits for ever. */
  within(timeoutMs: number): ServerRef<T> {
    return new ServerRef<T>(this.#target, timeoutMs);
  }

  find(): Process | undefined {
    const target = this.#target;
    if (typeof target === 'object') return target;
    return typeof target === 'string' ? whereis(target) : target();
  }

  toString(): string {
    const target = this.#target;
    return typeof target === 'string' ? target : String(this.find() ?? target);
  }
}

/** Leads to whichever server has a name at the moment of use: it survives restarts, as a reference does not. */
export function named<T extends Server>(name: string): ServerRef<T> {
  return new ServerRef<T>(name);
}
