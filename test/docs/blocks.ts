import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A fenced block of a page that holds commands. */
export interface CommandBlock {
  page: string;
  /** Of the opening fence, from 1. */
  line: number;
  /** `sh`: commands. `console`: commands after `$ `, each followed by what it prints. */
  language: 'sh' | 'console';
  text: string;
  /** The comment above the block that says why it is not run with its page, and who runs it instead. */
  marker: Marker | undefined;
}

export type Marker =
  /** Another test runs these lines, or what they do. */
  | { kind: 'run-by'; test: string }
  /** Nobody can run them here. */
  | { kind: 'not-run'; reason: NotRun };

/** Every reason for which a block may go without a test. */
export const NOT_RUN = ['needs a board', 'sets up a machine, as CI does before every run'] as const;
export type NotRun = (typeof NOT_RUN)[number];

/** A command and what it is expected to print; undefined where the page does not show it. */
export interface Command {
  text: string;
  prints: string | undefined;
}

const FENCE = /^(\s*)(`{3,}|~{3,})\s*([^\s`]*)/;
const COMMENT = /^<!--\s*(.*?)\s*-->$/;

/** The fences of a page in order, with the language that each names ('' for none). */
export function fences(text: string): { line: number; language: string; text: string; above: string }[] {
  const lines = text.split('\n');
  const found = [];
  for (let at = 0; at < lines.length; at++) {
    const [, indent = '', mark = '', language = ''] = FENCE.exec(lines[at] ?? '') ?? [];
    if (mark === '') continue;
    const opened = at;
    const body: string[] = [];
    for (at++; at < lines.length && lines[at]?.trim() !== mark; at++) {
      const line = lines[at] ?? '';
      body.push(line.startsWith(indent) ? line.slice(indent.length) : line);
    }
    if (at === lines.length) throw new Error(`line ${opened + 1}: this fence is never closed`);
    const above = lines.slice(0, opened).findLast((line) => line.trim() !== '') ?? '';
    found.push({ line: opened + 1, language, text: body.join('\n'), above: above.trim() });
  }
  return found;
}

/** @throws Error naming page and line, for a marker that says nothing known */
export function commandBlocks(page: string, text: string): CommandBlock[] {
  return fences(text)
    .filter(({ language }) => language === 'sh' || language === 'console')
    .map(({ line, language, text: body, above }) => {
      try {
        return {
          page,
          line,
          language: language === 'sh' ? 'sh' : 'console',
          text: body,
          marker: marker(above),
        };
      } catch (error) {
        throw new Error(`${page}:${line}: ${(error as Error).message}`);
      }
    });
}

function marker(above: string): Marker | undefined {
  const [, words] = COMMENT.exec(above) ?? [];
  if (words === undefined) return undefined;
  const [, test] = /^run by: (\S+)$/.exec(words) ?? [];
  if (test !== undefined) return { kind: 'run-by', test };
  const [, why] = /^not run: (.*)$/.exec(words) ?? [];
  const reason = NOT_RUN.find((each) => each === why);
  if (reason !== undefined) return { kind: 'not-run', reason };
  throw new Error(`'${words}' is neither 'run by: TEST' nor 'not run: ' and one of: ${NOT_RUN.join('; ')}`);
}

/** What a block asks a shell to do. A `sh` block is one command; a `console` block one for each `$ `. */
export function commands({ language, text }: Pick<CommandBlock, 'language' | 'text'>): Command[] {
  if (language === 'sh') return [{ text, prints: undefined }];
  const found: { text: string; prints: string[] }[] = [];
  for (const line of text.split('\n')) {
    const last = found.at(-1);
    if (line.startsWith('$ ')) found.push({ text: line.slice(2), prints: [] });
    else if (!last) throw new Error(`a console block begins with '$ ', not with: ${line}`);
    else last.prints.push(line);
  }
  return found.map(({ text: command, prints }) => ({
    text: command,
    prints: prints.length > 0 ? prints.join('\n') : undefined,
  }));
}

/** What a page shows as output, as a pattern: `…` stands for anything, and runs of blanks for any blanks. */
export function outputPattern(shown: string): RegExp {
  const words = shown
    .trim()
    .split('…')
    .map((part) =>
      part
        .trim()
        .split(/\s+/)
        .map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
        .join('\\s+'),
    );
  return new RegExp(words.join('[\\s\\S]*?'));
}

export const REPOSITORY = join(import.meta.dirname, '..', '..');

export function readPage(page: string): string {
  return readFileSync(join(REPOSITORY, page), 'utf8');
}
