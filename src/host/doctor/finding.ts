import { FwError } from '../../errors.ts';

/** What the doctor found out about one thing. */
export interface Finding {
  /** What was looked at, in a word or two. */
  check: string;
  /** `note`: worth knowing, stops nothing. `problem`: stops what `stops` says. */
  level: 'ok' | 'note' | 'problem';
  text: string;
  stops?: 'fw build' | 'fw run';
  /** The command that puts it right, or what to do in words. */
  remedy?: string;
}

export const ok = (check: string, text: string): Finding => ({ check, level: 'ok', text });

export const note = (check: string, text: string, remedy?: string): Finding => ({
  check,
  level: 'note',
  text,
  ...(remedy ? { remedy } : {}),
});

export const problem = (
  check: string,
  stops: NonNullable<Finding['stops']>,
  text: string,
  remedy?: string,
): Finding => ({ check, level: 'problem', text, stops, ...(remedy ? { remedy } : {}) });

/** A failure that the command itself would end with. Anything but an FwError is our bug, and stays one. */
export function problemOf(error: unknown, check: string, stops: NonNullable<Finding['stops']>): Finding {
  if (!(error instanceof FwError)) throw error;
  return problem(check, stops, error.message, error.remedy);
}
