import { FwError } from '../errors.ts';
import { paint, type TextStream } from './output.ts';

export interface ErrorTextOptions {
  stream: TextStream;
  /** Also stacks, and what caused it. */
  verbose?: boolean;
  /** Where bugs of ours are to be told. */
  reportTo?: string | undefined;
}

/** An error as people read it: what, where, expected, what to do, its code. */
export function describeError(error: unknown, { stream, verbose, reportTo }: ErrorTextOptions): string {
  const known = error instanceof FwError ? error : internalError(error, reportTo, verbose);
  const width = stream.isTTY ? stream.columns || 80 : Number.POSITIVE_INFINITY;
  const lines = [`${paint('red', 'fw:', stream)} ${wrapped(known.message, width, 'fw: '.length, 2)}`];
  const add = (label: string, text: string | undefined): void => {
    if (text) lines.push(`  ${label.padEnd(LABEL)}${wrapped(text, width, LABEL + 2, LABEL + 2)}`);
  };
  add('where:', known.where);
  add('expected:', known.expected);
  add('do:', known.remedy);
  lines.push(paint('dim', `  (${known.code})`, stream));
  if (verbose) lines.push(paint('dim', stacks(error).join('\n'), stream));
  return lines.join('\n');
}

const LABEL = 'expected: '.length;

/** What is thrown and is no FwError is our mistake, and nothing that the reader could mend. */
function internalError(error: unknown, reportTo = '', verbose = false): FwError {
  const address = reportTo ? ` at ${reportTo}` : '';
  return new FwError('internal', `internal error: ${firstLine(String(error))}`, {
    remedy: verbose
      ? `This is a bug in Hearth. Please report it${address}, with the lines below.`
      : `This is a bug in Hearth. Run the command again with --verbose, and report it${address} with what that prints.`,
  });
}

/** Where each error of the chain was thrown; what was said of the first already is not said again. */
function stacks(error: unknown): string[] {
  const out: string[] = [];
  const seen = new Set<unknown>();
  for (let at = error; at !== undefined && !seen.has(at); at = (at as Error | null)?.cause) {
    seen.add(at);
    const cause = at !== error;
    if (!(at instanceof Error)) {
      if (cause) out.push(`caused by: ${String(at)}`);
      continue;
    }
    const frames = (at.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
    if (cause) out.push(`caused by: ${at.name}: ${at.message}`);
    out.push(...frames);
  }
  return out;
}

/** The same for programs. */
export function errorJson(error: unknown, { verbose = false } = {}): { error: Record<string, unknown> } {
  const stack = verbose ? { stack: stacks(error) } : {};
  if (!(error instanceof FwError)) return { error: { code: 'internal', message: String(error), ...stack } };
  const { code, message, where, expected, remedy } = error;
  return { error: { code, message, where, expected, remedy, ...stack } };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/** Broken between words to fit a terminal, lines after the first indented; a word that is too long, such as a path, stays. */
export function wrapped(text: string, width: number, first: number, indent: number): string {
  return text
    .split('\n')
    .map((line, index) => wrapLine(line, width, index === 0 ? first : leading(line), indent))
    .join('\n');
}

function leading(line: string): number {
  return line.length - line.trimStart().length;
}

function wrapLine(line: string, width: number, first: number, indent: number): string {
  if (first + line.length < width) return line;
  const lines: string[] = [];
  let current = line.slice(0, leading(line));
  let room = width - 1 - first;
  for (const word of line.trim().split(' ')) {
    const next = current.trim() === '' ? current + word : `${current} ${word}`;
    if (next.length <= room || current.trim() === '') current = next;
    else {
      lines.push(current);
      current = word;
      room = width - 1 - indent;
    }
  }
  return [...lines, current].join(`\n${' '.repeat(indent)}`);
}
