import type { Address } from '../process/address.ts';
import { CallError } from '../process/errors.ts';
import { Later } from '../process/later.ts';
import type { Message } from '../process/message.ts';
import type { Possession, Process, Tracer } from '../process/process.ts';

interface Traced {
  /** Of `performance.now()`. */
  at: number;
  kind: 'call' | 'cast' | 'info';
  /** The handler's; '' of an info. */
  name: string;
}

export type TraceEvent =
  /** A message is taken from the mailbox. */
  | (Traced & { type: 'in'; args: readonly unknown[] })
  /** It is handled. `answer` is that of a call; undefined where it comes later. */
  | (Traced & { type: 'out'; answer: unknown; tookMs: number })
  /** Its handler threw. */
  | (Traced & { type: 'error'; error: Error; tookMs: number });

export interface TraceOptions {
  /** After so many events the trace ends by itself, so that one that is forgotten costs nothing. The default is 100. */
  limit?: number | undefined;
}

/** What a process handles, event by event, for one reader: `for await (const event of trace)`. */
export class Trace implements Tracer, Possession, Disposable, AsyncIterableIterator<TraceEvent> {
  readonly #process: Process;
  readonly #events: TraceEvent[] = [];
  #left: number;
  #beganAt = 0;
  #reader: ((result: IteratorResult<TraceEvent, undefined>) => void) | undefined;
  /** Why there will be no more events; undefined while there may be. */
  over: 'limit' | 'process-ended' | 'stopped' | undefined;

  constructor(process: Process, limit: number) {
    if (!(Number.isSafeInteger(limit) && limit > 0)) throw new RangeError(`not a number of events: ${limit}`);
    this.#process = process;
    this.#left = limit;
    process.owns(this);
    addTracer(process, this);
  }

  began({ kind, name, args }: Message): void {
    this.#beganAt = performance.now();
    if (kind !== 'system') this.#add({ type: 'in', at: this.#beganAt, kind, name, args });
  }

  answered(message: Message, value: unknown): void {
    const answer = message.call && !(value instanceof Later) ? value : undefined;
    this.#handled(message, (at, kind) => ({
      type: 'out',
      at,
      kind,
      name: message.name,
      answer,
      tookMs: at - this.#beganAt,
    }));
  }

  failed(message: Message, error: Error): void {
    this.#handled(message, (at, kind) => ({
      type: 'error',
      at,
      kind,
      name: message.name,
      error,
      tookMs: at - this.#beganAt,
    }));
  }

  released(): void {
    this.#end('process-ended');
  }

  /** Ends the trace. What it has seen can still be read. */
  stop(): void {
    this.#end('stopped');
  }

  [Symbol.dispose](): void {
    this.stop();
  }

  next(): Promise<IteratorResult<TraceEvent, undefined>> {
    const event = this.#events.shift();
    if (event) return Promise.resolve({ done: false, value: event });
    if (this.over) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => {
      this.#reader = resolve;
    });
  }

  /** A `for await` that is left ends the trace. */
  return(): Promise<IteratorResult<TraceEvent, undefined>> {
    this.stop();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** A message that was at work already when the trace began has no beginning here, and is left out. */
  #handled({ kind }: Message, event: (at: number, kind: Traced['kind']) => TraceEvent): void {
    if (kind !== 'system' && this.#beganAt > 0) this.#add(event(performance.now(), kind));
  }

  #add(event: TraceEvent): void {
    const reader = this.#reader;
    this.#reader = undefined;
    if (reader) reader({ done: false, value: event });
    else this.#events.push(event);
    if (--this.#left === 0) this.#end('limit');
  }

  #end(why: 'limit' | 'process-ended' | 'stopped'): void {
    if (this.over) return;
    this.over = why;
    this.#process.possessions?.delete(this);
    removeTracer(this.#process, this);
    this.#reader?.({ done: true, value: undefined });
    this.#reader = undefined;
  }
}

/** Several traces of one process: rare, so that a process has room for one tracer only. */
class Tracers implements Tracer {
  readonly all = new Set<Tracer>();
  began(message: Message): void {
    for (const tracer of this.all) tracer.began(message);
  }
  answered(message: Message, value: unknown): void {
    for (const tracer of this.all) tracer.answered(message, value);
  }
  failed(message: Message, error: Error): void {
    for (const tracer of this.all) tracer.failed(message, error);
  }
}

function addTracer(process: Process, tracer: Tracer): void {
  const tracers = process.tracer instanceof Tracers ? process.tracer : new Tracers();
  tracers.all.add(tracer);
  process.tracer = tracers;
}

function removeTracer(process: Process, tracer: Tracer): void {
  if (!(process.tracer instanceof Tracers)) return;
  process.tracer.all.delete(tracer);
  if (process.tracer.all.size === 0) process.tracer = undefined;
}

/**
 * Watches the messages of a process as they are handled, until `limit` events are seen, the process ends, or the reader
 * leaves. A process that is not traced pays for none of it. Arguments and answers are not copied: what is changed after it
 * was sent shows here as changed.
 * @throws CallError 'noproc'
 */
export function trace(of: Address, { limit = 100 }: TraceOptions = {}): Trace {
  const process = of.find();
  if (!process?.alive) throw new CallError(of.toString(), 'trace', 'noproc');
  return new Trace(process, limit);
}
