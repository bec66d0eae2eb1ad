import { describeReason, type ExitReason } from './reason.ts';

/** A call that the callee did not answer because it ended, or was not there. `cause` is the error that it died of. */
export class CallError extends Error {
  readonly code = 'call-failed';
  readonly reason: ExitReason;
  constructor(callee: string, message: string, reason: ExitReason) {
    super(
      `${callee} did not answer '${message}': ${describeReason(reason)}`,
      reason instanceof Error ? { cause: reason } : undefined,
    );
    this.name = 'CallError';
    this.reason = reason;
  }
}

/** A call that was not answered in time. The callee may still handle it: only the answer is lost. */
export class TimeoutError extends Error {
  readonly code = 'call-timeout';
  readonly timeoutMs: number;
  constructor(callee: string, message: string, timeoutMs: number) {
    super(`${callee} did not answer '${message}' within ${timeoutMs} ms`);
    this.name = 'TimeoutError';
    this.timeoutMs = timeoutMs;
  }
}

/** A message that a full mailbox did not take. Nothing was done: the sender may try again later, or drop the work. */
export class OverloadError extends Error {
  readonly code = 'overload';
  readonly limit: number;
  constructor(callee: string, message: string, limit: number) {
    super(`the mailbox of ${callee} is full (${limit} messages): '${message}' was not taken`);
    this.name = 'OverloadError';
    this.limit = limit;
  }
}

/**
 * Thrown by a handler to answer a call with an error and live on: the caller's promise is rejected with it. Every other
 * error that a handler throws ends the process, for its supervisor to start it anew.
 */
export class ReplyError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A process that could not be started; `cause` is why. */
export class StartError extends Error {
  readonly code = 'start-failed';
  readonly reason: ExitReason;
  constructor(label: string, reason: ExitReason) {
    super(
      `${label} did not start: ${describeReason(reason)}`,
      reason instanceof Error ? { cause: reason } : undefined,
    );
    this.name = 'StartError';
    this.reason = reason;
  }
}

/** A call of something that the server has no public method for. Types prevent it; plain JavaScript and names cannot. */
export class UnknownMessageError extends ReplyError {
  readonly code = 'unknown-message';
  constructor(callee: string, message: string) {
    super(`${callee} has no public method '${message}'`);
  }
}
