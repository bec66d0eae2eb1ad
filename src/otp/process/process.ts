import { OverloadError, ReplyError } from './errors.ts';
import { Message } from './message.ts';
import type { PendingCall } from './pending-call.ts';
import { type ExitReason, thrownReason } from './reason.ts';
import { report } from './reports.ts';
import { Ring } from './ring.ts';
import { enqueue, type Runnable } from './scheduler.ts';
import { announceEnd } from './signals.ts';

export type Status = 'starting' | 'running' | 'suspended' | 'exiting' | 'dead';

/** An answer that comes later, while the process goes on with other messages. */
export class Later<T> {
  readonly promise: Promise<T>;
  constructor(promise: Promise<T>) {
    this.promise = promise;
  }
}

/** A process is told of another's end. */
export interface Watcher {
  down(target: Process, reason: ExitReason): void;
}

/** All processes that have not ended, by id, in the order of their start. */
export const processTable = new Map<number, Process>();
let lastId = 0;
let running: Process | undefined;

/** The process whose handler runs now. It is known during the synchronous part of a handler only. */
export function currentProcess(): Process | undefined {
  return running;
}

/**
 * What every process is: an identity, a mailbox whose messages are handled one at a time and in order, links, monitors,
 * and an end. Subclasses say what a message means. A handler that returns a promise holds the mailbox until the promise
 * settles: handlers of one process never interleave.
 */
export abstract class Process implements Runnable {
  readonly id = ++lastId;
  readonly parent: Process | undefined;
  status: Status = 'starting';
  /** Why it ended, or is about to. */
  reason: ExitReason | undefined;
  name: string | undefined;
  /** Whether exit signals of linked processes become messages, instead of ending this one too. */
  trapExit = false;
  /** Messages handled so far. */
  handled = 0;
  /** Milliseconds in handlers, without what they awaited. */
  busyMs = 0;
  /** The message at work. */
  handling: Message | undefined;
  /** How many messages may wait; 0 for any number. */
  mailboxLimit = 0;

  links: Set<Process> | undefined;
  /** Who is told of this process' end, and of whose end it is told. */
  watchers: Set<Watcher> | undefined;

  #mailbox: Ring<Message> | undefined;
  #continuations: Ring<() => unknown> | undefined;
  /** Calls whose answers were promised for later. */
  #promised: Set<PendingCall> | undefined;
  #timers: Set<NodeJS.Timeout> | undefined;
  #abort: AbortController | undefined;
  #queued = false;
  #awaiting = false;

  constructor(parent: Process | undefined) {
    this.parent = parent;
    processTable.set(this.id, this);
  }

  /** What it runs, for people: a class' name, mostly. */
  abstract get label(): string;
  /** Handles one message. What it returns, or what its promise gives, answers a call. */
  protected abstract handle(message: Message): unknown;
  /** Cleans up before an orderly end. A process that is killed has no time for it. */
  protected terminate(_reason: ExitReason): unknown {
    return undefined;
  }
  /** What belongs to the process and must go with it, however it ends. */
  protected dispose(): void {}
  /** A handler threw. */
  protected crash(error: Error): void {
    this.exit(error);
  }

  get mailboxLength(): number {
    return this.#mailbox?.length ?? 0;
  }

  get alive(): boolean {
    return this.status !== 'dead';
  }

  /** Aborted when the process is asked to end: handlers hand it to what they await. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.status === 'exiting' || this.status === 'dead') this.#abort.abort(this.reason);
    return this.#abort.signal;
  }

  /** The start is over: what has come into the mailbox meanwhile is handled from now on. */
  run(): void {
    if (this.status !== 'starting') return;
    this.status = 'running';
    this.#wake();
  }

  /** Puts a message into the mailbox. A process that has ended refuses calls and drops everything else. */
  deliver(message: Message): void {
    if (this.status === 'dead') {
      message.call?.refuse(this.reason ?? 'noproc');
      return;
    }
    this.#mailbox ??= new Ring();
    const mailbox = this.#mailbox;
    if (this.mailboxLimit > 0 && mailbox.length >= this.mailboxLimit && message.kind !== 'system')
      throw new OverloadError(this.toString(), message.name, this.mailboxLimit);
    mailbox.push(message);
    if (this.status === 'running') this.#wake();
  }

  /** Delivers an info message after a while, unless it is disposed of first. Goes when the process goes. */
  sendAfter(ms: number, message: unknown): Disposable {
    this.#timers ??= new Set();
    const timers = this.#timers;
    const timer = setTimeout(() => {
      timers.delete(timer);
      this.deliver(new Message('info', '', [message]));
    }, ms);
    timers.add(timer);
    return {
      [Symbol.dispose]: () => {
        timers.delete(timer);
        clearTimeout(timer);
      },
    };
  }

  /** Has something done before the next message: `handle_continue` of OTP. */
  continueWith(work: () => unknown): void {
    this.#continuations ??= new Ring();
    this.#continuations.push(work);
    this.#wake();
  }

  watchedBy(watcher: Watcher): void {
    this.watchers ??= new Set();
    this.watchers.add(watcher);
  }

  suspend(): void {
    if (this.status === 'running') this.status = 'suspended';
  }

  resume(): void {
    if (this.status !== 'suspended') return;
    this.status = 'running';
    this.#wake();
  }

  turn(most: number): number {
    this.#queued = false;
    const since = performance.now();
    let done = 0;
    while (done < most && this.#ready()) {
      done++;
      const work = this.#continuations?.shift();
      if (work) this.#perform(work, undefined);
      else this.#next();
    }
    this.busyMs += performance.now() - since;
    this.#wake();
    return done;
  }

  /**
   * Asks the process to end in good order: the handler at work finishes, then `terminate` is called. A second request
   * changes nothing, and a process that has not finished starting is killed.
   */
  exit(reason: ExitReason): void {
    if (this.status === 'starting') {
      this.kill(reason);
      return;
    }
    if (this.status !== 'running' && this.status !== 'suspended') return;
    this.status = 'exiting';
    this.reason = reason;
    this.#abort?.abort(reason);
    if (!this.#awaiting && running !== this) this.#terminate();
  }

  /** Ends the process now. A handler that still awaits something is left alone, and its result is nobody's any more. */
  kill(reason: ExitReason): void {
    if (this.status === 'dead') return;
    this.status = 'dead';
    this.reason = reason;
    processTable.delete(this.id);
    this.#abort?.abort(reason);
    this.handling?.call?.refuse(reason);
    for (const call of this.#promised ?? []) call.refuse(reason);
    const mailbox = this.#mailbox;
    this.#mailbox = this.#continuations = this.#promised = undefined;
    for (const { call } of mailbox ?? []) call?.refuse(reason);
    for (const timer of this.#timers ?? []) clearTimeout(timer);
    this.dispose();
    announceEnd(this);
  }

  toString(): string {
    return `${this.name ?? this.label}#${this.id}`;
  }

  #ready(): boolean {
    if (this.status !== 'running' || this.#awaiting) return false;
    return (this.#mailbox?.length ?? 0) > 0 || (this.#continuations?.length ?? 0) > 0;
  }

  #wake(): void {
    if (this.#queued || !this.#ready()) return;
    this.#queued = true;
    enqueue(this);
  }

  #next(): void {
    const message = this.#mailbox?.shift();
    if (!message) return;
    this.handled++;
    this.handling = message;
    if (message.kind === 'system') this.#perform(message.args[0] as () => unknown, message);
    else this.#perform(undefined, message);
  }

  /** Runs a handler, and settles what it leaves: an answer, a promise of one, or an error. */
  #perform(work: (() => unknown) | undefined, message: Message | undefined): void {
    const before = running;
    running = this;
    let result: unknown;
    try {
      result = work ? work() : this.handle(message as Message);
    } catch (thrown) {
      running = before;
      this.#failed(message, thrown);
      return;
    }
    running = before;
    if (result instanceof Promise) {
      this.#awaiting = true;
      result.then(
        (value) => this.#awaited(() => this.#done(message, value)),
        (thrown: unknown) => this.#awaited(() => this.#failed(message, thrown)),
      );
    } else this.#done(message, result);
  }

  #awaited(settle: () => void): void {
    this.#awaiting = false;
    if (this.status === 'dead') return;
    settle();
    this.#wake();
  }

  #done(message: Message | undefined, value: unknown): void {
    this.handling = undefined;
    if (message?.call) {
      if (value instanceof Later) this.#answerLater(message.call, value.promise);
      else message.call.answer(value);
    }
    if (this.status === 'exiting') this.#terminate();
  }

  #failed(message: Message | undefined, thrown: unknown): void {
    const error = thrownReason(thrown);
    if (error instanceof ReplyError && message?.call) {
      this.handling = undefined;
      message.call.fail(error);
      if (this.status === 'exiting') this.#terminate();
      return;
    }
    report({ kind: 'crash', process: this, reason: error, message });
    // Who called learns what it died of, at once; `handling` stays until then.
    message?.call?.refuse(error);
    this.handling = undefined;
    if (this.status === 'exiting') this.#terminate();
    else this.crash(error);
  }

  #answerLater(call: PendingCall, promise: Promise<unknown>): void {
    this.#promised ??= new Set();
    const promised = this.#promised;
    promised.add(call);
    promise.then(
      (value) => promised.delete(call) && call.answer(value),
      (thrown: unknown) => promised.delete(call) && call.fail(thrownReason(thrown)),
    );
  }

  #terminate(): void {
    const reason = this.reason ?? 'normal';
    const failed = (thrown: unknown): void => {
      const error = thrownReason(thrown);
      report({ kind: 'crash', process: this, reason: error, message: undefined });
      this.kill(error);
    };
    let result: unknown;
    try {
      result = this.terminate(reason);
    } catch (thrown) {
      failed(thrown);
      return;
    }
    if (result instanceof Promise) result.then(() => this.kill(reason), failed);
    else this.kill(reason);
  }
}
