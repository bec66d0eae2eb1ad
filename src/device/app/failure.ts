import { CONFIG_EXIT_CODE } from '../../otp/config/exit-code.ts';

/** How a run of the app ended. */
export type End =
  | { kind: 'exit'; code: number }
  | { kind: 'signal'; signal: string }
  /** The program itself could not be started. */
  | { kind: 'spawn'; reason: string }
  /** hearthd killed it, for this reason. */
  | { kind: 'killed'; reason: string };

/** How far the app had come. */
export type Phase = 'import' | 'start' | 'up';

/** One line that says how the app ended, why as far as its last words tell, and where in its source. */
export function explainEnd(end: End, phase: Phase, tail: readonly string[]): string {
  const how = howItEnded(end, phase);
  if (end.kind === 'killed' || end.kind === 'spawn' || sentFromOutside(end)) return how;
  if (isConfigRefused(end, phase)) {
    const refused = tail.findLast((line) => line.includes('the runtime configuration is refused'));
    // The whole line: it names every variable.
    if (refused) return `the app exited with ${CONFIG_EXIT_CODE}: ${refused.trim()}`;
  }
  const thrown = findThrown(tail);
  if (!thrown) {
    const last = tail.findLast((line) => !FOOTER.test(line));
    return last ? `${how}; its last line was: ${last.trim().slice(0, 200)}` : how;
  }
  return `${how}: ${thrown.error}${thrown.where ? ` at ${thrown.where}` : ''}`;
}

/** The app's `config/runtime.ts` was not content with its environment, which is the same at every start of this boot. */
export function isConfigRefused(end: End, phase: Phase): boolean {
  return end.kind === 'exit' && end.code === CONFIG_EXIT_CODE && phase === 'import';
}

/** These are not the app's own doing: what it wrote last has nothing to do with them. */
function sentFromOutside(end: End): boolean {
  return end.kind === 'signal' && (end.signal === 'SIGKILL' || end.signal === 'SIGTERM');
}

function howItEnded(end: End, phase: Phase): string {
  const when =
    phase === 'import'
      ? ' while it was being imported, before run()'
      : phase === 'start'
        ? ' while it started'
        : '';
  switch (end.kind) {
    case 'exit':
      return `the app exited with ${end.code}${when}`;
    case 'signal':
      return `the app died of ${end.signal}${when}`;
    case 'spawn':
      return `the app cannot be started: ${end.reason}`;
    case 'killed':
      return `the app was killed: ${end.reason}`;
  }
}

export interface Thrown {
  /** e.g. `TypeError: x is not a function`. */
  error: string;
  /** `FILE:LINE:COLUMN` of the innermost frame that is not Node's own. */
  where: string | undefined;
}

/**
 * Finds the last error with a stack in what the app wrote: Node's report of an uncaught exception, a syntax error
 * (which has no frame of its own: its place is the line before the source), or the logger's record of a failed start.
 */
export function findThrown(tail: readonly string[]): Thrown | undefined {
  // The logger writes a stack on one line, its newlines as `\n`.
  const lines = tail.flatMap((line) => line.split('\\n'));
  const at = lines.findLastIndex((line) => ERROR.test(line) && !/^\s*at /.test(line));
  if (at < 0) return undefined;
  const error = (ERROR.exec(lines[at] ?? '')?.[1] ?? '').replace(/"$/, '').slice(0, 300);
  let where: string | undefined;
  for (const line of lines.slice(at + 1)) {
    const frame = FRAME.exec(line);
    if (!frame) break;
    if (!frame[1]?.startsWith('node:')) {
      where = place(frame[1] ?? '');
      break;
    }
  }
  where ??= lines
    .slice(Math.max(0, at - 6), at)
    .map((line) => SOURCE_LINE.exec(line)?.[1])
    .findLast(Boolean);
  return { error, where: where?.replace(/^file:\/\//, '') };
}

/** What Node prints below every uncaught error. */
const FOOTER = /^\s*$|^Node\.js v\d|^\(Use `node /;
/** `Error: …`, `TypeError [ERR_X]: …`, `NodeError: …`; after the logger's `error="` too. */
const ERROR = /(?:^|error="?)((?:Uncaught )?(?:[A-Z]\w*)?(?:Error|Exception)(?: \[\w+\])?(?::.*)?)$/;
const FRAME = /^\s+at (?:.*\()?((?:file:\/\/|\/|node:|[\w.-]+\/)[^()]*:\d+:\d+)\)?"?$/;
const SOURCE_LINE = /^((?:file:\/\/)?\/[^\s]+:\d+)$/;

function place(frame: string): string {
  return frame.replace(/^file:\/\//, '');
}
