import { ReplyError } from '../process/errors.ts';
import { type ExitReason, Shutdown, thrownReason } from '../process/reason.ts';

/** What the server in the thread is asked, one question at a time, each to be answered. */
export type Question =
  | { kind: 'call' | 'cast' | 'info'; name: string; args: readonly unknown[] }
  | { kind: 'getState'; name: string }
  | { kind: 'setState'; name: string; value: unknown };
export type ToWorker = Question | { kind: 'stop'; reason: WireReason };
export type FromWorker =
  | { kind: 'started' }
  | { kind: 'answer'; value: unknown }
  /** `fatal`: the handler threw, and the server ends of it; otherwise the error is an answer. */
  | { kind: 'failed'; error: WireError; fatal: boolean }
  /** `known`: with what it was told to stop with, or what was said to be fatal. */
  | { kind: 'ended'; reason: WireReason; known: boolean };

/** An error as it crosses: a structured clone would lose its class, and its code with it. */
export interface WireError {
  name: string;
  message: string;
  stack: string | undefined;
  code: string | undefined;
}
export type WireReason = 'normal' | 'shutdown' | 'killed' | 'noproc' | { shutdown: string } | WireError;

/** An error that a server in a worker answered with. `name` and `code` are the original's. */
export class WorkerReplyError extends ReplyError {
  readonly code: string | undefined;
  constructor(error: WireError) {
    super(error.message);
    this.name = error.name;
    this.code = error.code;
    if (error.stack !== undefined) this.stack = error.stack;
  }
}

/** What a server in a worker died of. `name` is the original's, as is its `code`, if it had one. */
export class WorkerError extends Error {
  readonly code: string;
  constructor(name: string, code: string, message: string, stack?: string) {
    super(message);
    this.name = name;
    this.code = code;
    if (stack !== undefined) this.stack = stack;
  }
}

export function wireError(thrown: unknown): WireError {
  const { name, message, stack, code } = thrownReason(thrown) as NodeJS.ErrnoException;
  return { name, message, stack, code: typeof code === 'string' ? code : undefined };
}

export function wireReason(reason: ExitReason): WireReason {
  if (typeof reason === 'string') return reason;
  return reason instanceof Shutdown ? { shutdown: String(reason.why) } : wireError(reason);
}

export function reasonOf(wire: WireReason): ExitReason {
  if (typeof wire === 'string') return wire;
  if ('shutdown' in wire) return new Shutdown(wire.shutdown);
  return workerError(wire);
}

export function workerError({ name, code, message, stack }: WireError): WorkerError {
  return new WorkerError(name, code ?? 'worker-crash', message, stack);
}
