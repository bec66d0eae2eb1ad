import type { Process } from './process.ts';

const names = new Map<string, Process>();

/** A name that a living process has already. `holder` is that process. */
export class AlreadyStartedError extends Error {
  readonly code = 'already-started';
  readonly holder: Process;
  constructor(name: string, holder: Process) {
    super(`the name '${name}' is taken by ${holder}`);
    this.name = 'AlreadyStartedError';
    this.holder = holder;
  }
}

/** A name that is kept elsewhere, as a registry does: `{:via, Module, Term}` in OTP. It goes when the process ends. */
export interface Via {
  /** @throws AlreadyStartedError */
  register(process: Process): void;
}

/** @throws AlreadyStartedError */
export function register(name: string, process: Process): void {
  const holder = names.get(name);
  if (holder && holder !== process) throw new AlreadyStartedError(name, holder);
  names.set(name, process);
  process.name = name;
}

export function unregister(process: Process): void {
  if (process.name !== undefined && names.get(process.name) === process) names.delete(process.name);
}

export function whereis(name: string): Process | undefined {
  return names.get(name);
}
