import { type Details, FormatError } from '../../errors.ts';

/** This format's complaint about one node of the tree, or about an option. */
export function squashfsError(message: string, details: Details = {}): FormatError {
  return new FormatError('squashfs', message, details);
}
