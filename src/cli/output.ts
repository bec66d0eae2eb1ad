import { styleText } from 'node:util';
import { FwError } from '../errors.ts';

/** How the command line talks: results on standard output, everything else on standard error. */

export interface Output {
  /** One step of long work: on a terminal the line is replaced by the next, elsewhere it is a line. */
  step(text: string): void;
  /** A line that stays. */
  line(text: string): void;
  /** Ends a replaced line. */
  done(): void;
}

export function terminalOutput(stream: NodeJS.WriteStream = process.stderr): Output {
  const interactive = stream.isTTY === true;
  let open = false;
  const clear = (): void => {
    if (open) stream.write('\r\x1b[K');
    open = false;
  };
  return {
    step(text) {
      if (!interactive) return;
      clear();
      stream.write(text.slice(0, Math.max(20, (stream.columns ?? 80) - 1)));
      open = true;
    },
    line(text) {
      clear();
      stream.write(`${text}\n`);
    },
    done: clear,
  };
}

/** Says nothing; for `--json`. */
export const silent: Output = { step() {}, line() {}, done() {} };

/** An error as people read it: what, where, expected, what to do. Our own bugs come with their stack. */
export function describeError(error: unknown): string {
  if (!(error instanceof FwError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `${paint('red', 'fw: internal error')}: ${text}\nThis is a bug in Hearth. Please report it with the lines above.`;
  }
  const lines = [`${paint('red', 'fw')}: ${error.message}`];
  if (error.where) lines.push(`  where:    ${error.where}`);
  if (error.expected) lines.push(`  expected: ${error.expected}`);
  if (error.remedy) lines.push(`  do:       ${error.remedy}`);
  lines.push(paint('dim', `  (${error.code})`));
  return lines.join('\n');
}

/** The same for programs. */
export function errorJson(error: unknown): object {
  if (!(error instanceof FwError)) return { error: { code: 'internal', message: String(error) } };
  const { code, message, where, expected, remedy } = error;
  return { error: { code, message, where, expected, remedy } };
}

function paint(style: 'red' | 'dim', text: string): string {
  return styleText(style, text, { stream: process.stderr });
}

/** 12345678 -> '12.3 MB'. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
