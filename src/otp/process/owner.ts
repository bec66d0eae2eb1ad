import type { Address } from './address.ts';
import { currentProcess, type Process } from './process.ts';

/** Something that belongs to a process was asked for where no living process is known. */
export class OwnerError extends Error {
  readonly code = 'no-owner';
  constructor(what: string, owner: Process | undefined) {
    super(
      owner
        ? `${what}: ${owner} has ended`
        : `${what}: no process is at work here. Outside of handlers, and after their first await, say whose it is: this.self`,
    );
    this.name = 'OwnerError';
  }
}

/**
 * Whose it is to be: the process that is named, or the one whose handler runs now.
 * @throws OwnerError; CallError 'noproc' of a name that nobody has
 */
export function ownerOf(given: Address | undefined, what: string): Process {
  const owner = given ? given.process() : currentProcess();
  if (owner?.alive) return owner;
  throw new OwnerError(what, owner);
}
