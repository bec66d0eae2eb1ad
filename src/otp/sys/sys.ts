import type { Address } from '../process/address.ts';
import { CallError } from '../process/errors.ts';
import { Message } from '../process/message.ts';
import { PendingCall } from '../process/pending-call.ts';
import { currentProcess, type Process } from '../process/process.ts';
import { CALL_TIMEOUT_MS, type ServerRef } from '../server/ref.ts';
import type { Server } from '../server/server.ts';
import { ServerProcess } from '../server/server-process.ts';
import type { state } from '../server/state.ts';
import { describeProcess, type ProcessInfo } from './processes.ts';

/** What a server's accessor `[sys.state]` gives; of a class that has none of its own, `unknown`. */
export type StateOf<T extends Server> = T[typeof state];

/** A process and what it holds. */
export interface SystemStatus extends ProcessInfo {
  /** Of a server; undefined of anything else. */
  state: unknown;
}

export interface Statistics {
  /** Messages that have come in since the start: those that were handled and those that wait. */
  received: number;
  handled: number;
  waiting: number;
  /** Milliseconds in handlers, without what they do after an `await`. */
  busyMs: number;
}

/**
 * The state of a server, between two messages: what its accessor `[sys.state]` gives, or else its fields. `#private` fields
 * are private for this too: a class that has them says itself what its state is. From another thread comes a copy.
 *
 * ```ts
 * class Counter extends Server {
 *   #count = 0;
 *   override get [sys.state](): number {
 *     return this.#count;
 *   }
 *   override set [sys.state](count: number) {
 *     this.#count = count;
 *   }
 * }
 * ```
 * @throws CallError, TimeoutError
 */
export function getState<T extends Server>(
  ref: ServerRef<T>,
  timeoutMs: number = CALL_TIMEOUT_MS,
): Promise<StateOf<T>> {
  return ask(ref, 'getState', (process) => stateOf<T>(process), timeoutMs);
}

/**
 * Gives a server another state, between two messages, and answers with it. Where `change` throws, the state stays and the
 * server lives.
 * @throws what `change` throws; CallError, TimeoutError
 */
export function replaceState<T extends Server>(
  ref: ServerRef<T>,
  change: (value: StateOf<T>) => StateOf<T>,
  timeoutMs: number = CALL_TIMEOUT_MS,
): Promise<StateOf<T>> {
  return ask(
    ref,
    'replaceState',
    // Its handlers wait meanwhile, also where its state is in another thread.
    async (process) => {
      const next = change(await stateOf<T>(process));
      await (process as ServerProcess).setState(next);
      return next;
    },
    timeoutMs,
  );
}

/** @throws CallError, TimeoutError */
export function getStatus(ref: Address, timeoutMs: number = CALL_TIMEOUT_MS): Promise<SystemStatus> {
  return ask(
    ref,
    'getStatus',
    async (process) => ({
      ...describeProcess(process),
      state: process instanceof ServerProcess ? await process.getState() : undefined,
    }),
    timeoutMs,
  );
}

/**
 * Has a process handle nothing but what `sys` asks, until `resume`: messages wait, and calls with them, as long as their
 * time allows. It can still be ended.
 * @throws CallError, TimeoutError
 */
export function suspend(ref: Address, timeoutMs: number = CALL_TIMEOUT_MS): Promise<void> {
  return ask(ref, 'suspend', (process) => process.suspend(), timeoutMs);
}

/** @throws CallError, TimeoutError */
export function resume(ref: Address, timeoutMs: number = CALL_TIMEOUT_MS): Promise<void> {
  return ask(ref, 'resume', (process) => process.resume(), timeoutMs);
}

/** What is counted all the time, so that nothing has to be switched on first. @throws CallError 'noproc' */
export function statistics(ref: Address): Statistics {
  const process = ref.find();
  if (!process?.alive) throw new CallError(ref.toString(), 'statistics', 'noproc');
  const { handled, mailboxLength: waiting, busyMs } = process;
  return { received: handled + waiting, handled, waiting, busyMs };
}

/** A system message waits its turn among the others, and is handled by suspended processes too. */
function ask<R>(
  ref: Address,
  what: string,
  work: (process: Process) => R | Promise<R>,
  timeoutMs: number,
): Promise<R> {
  return new Promise((resolve, reject) => {
    const process = ref.find();
    if (!process || process === currentProcess()) {
      const reason = process ? new Error('a process cannot ask itself') : 'noproc';
      reject(new CallError(ref.toString(), what, reason));
      return;
    }
    const call = new PendingCall(process, what, timeoutMs, resolve as (value: unknown) => void, reject);
    process.admit(new Message('system', what, [() => work(process)], call));
  });
}

function stateOf<T extends Server>(process: Process): StateOf<T> | Promise<StateOf<T>> {
  if (process instanceof ServerProcess) return process.getState() as StateOf<T> | Promise<StateOf<T>>;
  throw new TypeError(`${process} is not a server`);
}
