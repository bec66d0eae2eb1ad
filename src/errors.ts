/** What a failure says: what happened is the message; the rest answers where, what was expected, what to do. */
export interface Details {
  /** The file, slot, device, field or byte that the failure is about. */
  where?: string;
  /** What should have been there. */
  expected?: string;
  /** What the reader can do next, as one imperative sentence or command. */
  remedy?: string;
  cause?: unknown;
}

/**
 * A failure that the user, not Hearth, can mend: bad input, a full disk, a missing package. Printed without a
 * stack. `code` is stable, lower-case with dashes; anything else that is thrown is our bug.
 */
export class FwError extends Error {
  readonly code: string;
  readonly where: string | undefined;
  readonly expected: string | undefined;
  readonly remedy: string | undefined;

  constructor(code: string, message: string, details: Details = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.name = 'FwError';
    this.code = code;
    this.where = details.where;
    this.expected = details.expected;
    this.remedy = details.remedy;
  }
}

/** A byte format's own complaint: which format, at which byte offset, and what is wrong there. */
export class FormatError extends FwError {
  constructor(format: string, message: string, details: Details & { offset?: number } = {}) {
    const where = details.where ?? (details.offset === undefined ? undefined : `byte ${details.offset}`);
    super(`bad-${format}`, `${format}: ${message}${where ? ` (${where})` : ''}`, {
      ...details,
      ...(where ? { where } : {}),
    });
    this.name = 'FormatError';
  }
}
