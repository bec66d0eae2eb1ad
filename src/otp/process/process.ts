import { OverloadError, ReplyError } from './errors.ts';
import { Later, PromisedAnswers } from './later.ts';
import { type Bounds, Mailbox, UNBOUNDED } from './mailbox.ts';
import { Message } from './message.ts';
import type { Monitor } from './monitor.ts';
import { processTable } from './process-table.ts';
import { type ExitReason, isOrderly, thrownReason } from './reason.ts';
import { report } from './reports.ts';
import { Ring } from './ring.ts';
import { enqueue, type Runnable } from './scheduler.ts';
import { announceEnd } from './signals.ts';
import type { Silence } from './silence.ts';
import type { SmallSet } from './small-set.ts';
import { isThenable } from './thenable.ts';
import { checkTimerMs, Timers } from './timers.ts';

export type Status = 'starting' | 'running' | 'suspended' | 'exiting' | 'dead';

/** A process is told of another's end. */
export interface Watcher {
  down(target: Process, reason: ExitReason): void;
}

/** What a process owns outside of itself: entries of registries, tables, timers. */
export interface Possession {
  /** The owner has ended, and nobody was told of it yet. Must not throw. */
  released(owner: Process): void;
}

/** Looks on as messages are handled: `sys.trace`. */
export interface Tracer {
  began(message: Message): void;
  answered(message: Message, value: unknown): void;
  failed(message: Message, error: Error): void;
}

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
  /** Its neighbours in the table of processes. */
  older: Process | undefined;
  younger: Process | undefined;
  /** Why it ended, or is about to. */
  reason: ExitReason | undefined;
  name: string | undefined;
  /** Whether exit signals of linked processes become messages, instead of ending this one too. */
  trapExit = false;
  /** Messages handled so far. */
  handled = 0;
  /** Milliseconds in handlers, without what they do after an `await`. */
  busyMs = 0;
  bounds: Bounds = UNBOUNDED;
  /** The message at work. */
  handling: Message | undefined;

  links: SmallSet<Process> | undefined;
  /** Who is told of this process' end, and by what it is told of others'. */
  watchers: Set<Watcher> | undefined;
  monitors: Set<Monitor> | undefined;
  possessions: Set<Possession> | undefined;
  tracer: Tracer | undefined;
  /** Kept where something is to happen after a while without work. */
  protected silence: Silence | undefined;

  #mailbox: Mailbox | undefined;
  #continuations: Ring<() => unknown> | undefined;
  #promised: PromisedAnswers | undefined;
  #timers: Timers | undefined;
  #abort: AbortController | undefined;
  #queued = false;
  /** A handler, or `terminate`, has begun and is not done: it runs, waits for a promise, or woke whoever runs now. */
  #atWork = false;

  constructor(parent: Process | undefined) {
    this.parent = parent;
    processTable.add(this);
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

  /** Whether senders are refused. */
  get full(): boolean {
    return this.mailboxLength >= this.bounds.limit;
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

  /**
   * Puts a message into the mailbox. A process that has ended refuses calls and drops everything else.
   * @throws OverloadError when it is full; of a call, the caller's promise is rejected with it
   */
  deliver(message: Message): void {
    if (this.full && message.kind !== 'system') {
      const error = new OverloadError(this.toString(), message.name, this.bounds.limit);
      if (!message.call) throw error;
      message.call.fail(error);
    } else this.admit(message);
  }

  /** Delivers though the mailbox be full: what the runtime itself sends, as `Exit`, `Down` and timers do, must not be lost. */
  admit(message: Message): void {
    if (this.status === 'dead') {
      message.call?.refuse(this.reason ?? 'noproc');
      return;
    }
    this.#mailbox ??= new Mailbox(this.bounds, (long) => this.#crossed(long));
    this.#mailbox.push(message);
    this.#wake();
  }

  /** Delivers an info message after a while, unless it is disposed of first. Goes when the process goes. */
  sendAfter(ms: number, message: unknown): Disposable {
    checkTimerMs(ms);
    if (this.status === 'dead') return { [Symbol.dispose]: () => undefined };
    this.#timers ??= new Timers();
    return this.#timers.after(ms, () => this.admit(new Message('info', '', [message])));
  }

  /** Has something done before the next message: `handle_continue` of OTP. */
  continueWith(work: () => unknown): void {
    if (this.status === 'dead') return;
    this.#continuations ??= new Ring();
    this.#continuations.push(work);
    this.#wake();
  }

  /** What goes with this process, before its links and monitors are told: who takes its place finds the names free. */
  owns(possession: Possession): void {
    this.possessions ??= new Set();
    this.possessions.add(possession);
  }

  watchedBy(watcher: Watcher): void {
    this.watchers ??= new Set();
    this.watchers.add(watcher);
  }

  /** Handles nothing but system messages until `resume`. The handler at work finishes. */
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
    let done = 0;
    for (; done < most && this.#ready(); done++) {
      const work = this.status === 'running' ? this.#continuations?.shift() : undefined;
      if (work) this.#perform(work, undefined);
      else this.#next();
    }
    this.#wake();
    return done;
  }

  /** Whether it has nothing to do, now and next: for what waits for silence. */
  get idle(): boolean {
    return this.status === 'running' && !this.#atWork && this.mailboxLength === 0;
  }

  /** Runs something in the name of this process: what it calls, starts or ends comes from this process. */
  protected runAs(work: () => unknown): unknown {
    const before = running;
    running = this;
    try {
      return work();
    } finally {
      running = before;
    }
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
    if (!this.#atWork) this.#terminate();
  }

  /** Ends it from within: the same, but for the report that a crash deserves and an exit signal does not get. */
  stop(reason: ExitReason): void {
    const asked = this.status === 'exiting' || this.status === 'dead';
    if (!asked && this.status !== 'starting' && !isOrderly(reason))
      report({ kind: 'crash', process: this, reason, message: this.handling });
    this.exit(reason);
  }

  /** Ends the process now. A handler that still awaits something is left alone, and its result is nobody's any more. */
  kill(reason: ExitReason): void {
    if (this.status === 'dead') return;
    this.status = 'dead';
    this.reason = reason;
    processTable.delete(this);
    this.#abort?.abort(reason);
    this.handling?.call?.refuse(reason);
    this.#promised?.refuse(reason);
    const mailbox = this.#mailbox;
    this.#mailbox = this.#continuations = this.#promised = undefined;
    for (const { call } of mailbox ?? []) call?.refuse(reason);
    this.#timers?.clear();
    this.silence?.end();
    for (const monitor of this.monitors ?? []) monitor[Symbol.dispose]();
    this.dispose();
    const possessions = this.possessions;
    this.possessions = undefined;
    for (const possession of possessions ?? []) possession.released(this);
    announceEnd(this);
  }

  toString(): string {
    return `${this.name ?? this.label}#${this.id}`;
  }

  #ready(): boolean {
    if (this.#atWork) return false;
    if (this.status === 'suspended') return (this.#mailbox?.system ?? 0) > 0;
    return this.status === 'running' && (this.mailboxLength > 0 || (this.#continuations?.length ?? 0) > 0);
  }

  #wake(): void {
    if (this.#queued || !this.#ready()) return;
    this.#queued = true;
    enqueue(this);
  }

  #next(): void {
    const message = this.status === 'suspended' ? this.#mailbox?.nextSystem() : this.#mailbox?.next();
    if (!message) return;
    this.handled++;
    this.handling = message;
    if (this.tracer !== undefined) this.tracer.began(message);
    if (message.kind === 'system') this.#perform(message.args[0] as () => unknown, message);
    else this.#perform(undefined, message);
  }

  #crossed(long: boolean): void {
    report({ kind: 'long-mailbox', process: this, long, waiting: this.mailboxLength });
  }

  /** Runs a handler, and settles what it leaves: an answer, a promise of one, or an error. */
  #perform(work: (() => unknown) | undefined, message: Message | undefined): void {
    this.#atWork = true;
    const before = running;
    running = this;
    let result: unknown;
    let awaited: boolean;
    try {
      result = work ? work() : this.handle(message as Message);
      awaited = isThenable(result);
    } catch (thrown) {
      running = before;
      this.#failed(message, thrown);
      return;
    }
    running = before;
    if (!awaited) {
      this.#done(message, result);
      return;
    }
    Promise.resolve(result).then(
      (value) => this.#done(message, value),
      (thrown: unknown) => this.#failed(message, thrown),
    );
  }

  #done(message: Message | undefined, value: unknown): void {
    if (this.tracer !== undefined && message) this.tracer.answered(message, value);
    if (value instanceof Later) this.#answerLater(message, value.promise);
    else message?.call?.answer(value);
    this.#rest();
  }

  #failed(message: Message | undefined, thrown: unknown): void {
    if (this.status === 'dead') return;
    const error = thrownReason(thrown);
    if (this.tracer !== undefined && message) this.tracer.failed(message, error);
    if (error instanceof ReplyError || message?.kind === 'system') {
      this.#answerError(message, error);
      this.#rest();
      return;
    }
    report({ kind: 'crash', process: this, reason: error, message });
    // Who called learns what it died of, at once.
    message?.call?.refuse(error);
    const ending = this.status === 'exiting';
    this.#rest();
    if (!ending) this.crash(error);
  }

  /** The handler at work is done: the next message's turn, or the end that was asked for meanwhile. */
  #rest(): void {
    this.#atWork = false;
    this.handling = undefined;
    if (this.silence !== undefined) this.silence.begins();
    if (this.status === 'exiting') this.#terminate();
    else this.#wake();
  }

  /** An error that the process survives must still be seen by somebody. */
  #answerError(message: Message | undefined, error: Error): void {
    if (message?.call) message.call.fail(error);
    else report({ kind: 'unanswered', process: this, error, message });
  }

  #answerLater(message: Message | undefined, promise: Promise<unknown>): void {
    if (message?.call) {
      this.#promised ??= new PromisedAnswers();
      this.#promised.add(message.call, promise, (error) => this.#answerError(message, error));
      return;
    }
    promise.catch((thrown: unknown) => {
      if (this.alive) this.#answerError(message, thrownReason(thrown));
    });
  }

  #terminate(): void {
    this.#atWork = true;
    const reason = this.reason ?? 'normal';
    const failed = (thrown: unknown): void => {
      if (this.status === 'dead') return;
      const error = thrownReason(thrown);
      report({ kind: 'crash', process: this, reason: error, message: undefined });
      this.kill(error);
    };
    try {
      const result = this.runAs(() => this.terminate(reason));
      if (isThenable(result)) Promise.resolve(result).then(() => this.kill(reason), failed);
      else this.kill(reason);
    } catch (thrown) {
      failed(thrown);
    }
  }
}
