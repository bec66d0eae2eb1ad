/**
 * Why a process ended. 'normal', 'shutdown' and a `Shutdown` are orderly: a transient child is not restarted, and no
 * crash is reported. An Error, 'killed' and 'noproc' are not.
 */
export type ExitReason = 'normal' | 'shutdown' | 'killed' | 'noproc' | Shutdown | Error;

/** An orderly end that says why: `{shutdown, Term}` in OTP. */
export class Shutdown {
  readonly why: unknown;
  constructor(why: unknown) {
    this.why = why;
  }
}

export function isOrderly(reason: ExitReason): boolean {
  return reason === 'normal' || reason === 'shutdown' || reason instanceof Shutdown;
}

/** Whatever was thrown, as a reason: what is no Error becomes the cause of one. */
export function thrownReason(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(`thrown: ${describe(thrown)}`, { cause: thrown });
}

/** One line. */
export function describeReason(reason: ExitReason): string {
  if (typeof reason === 'string') return reason;
  if (reason instanceof Shutdown) return `shutdown: ${describe(reason.why)}`;
  return `${reason.name}: ${reason.message}`;
}

function describe(value: unknown): string {
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}
