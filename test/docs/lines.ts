import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './blocks.ts';

/** What the page says that a device's console shows: the code in the first column of the tables of one section. */
export function shownLines(text: string, section: string): string[] {
  const from = text.indexOf(`\n## ${section}\n`);
  const part = text.slice(from, text.indexOf('\n## ', from + 1) >>> 0);
  return [...part.matchAll(/^\| (`[^|]*) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, line = '']) => line).filter((line) => line.includes(' ')),
  );
}

/** The pieces of a line that are the same each time: between `…`, numbers, names and punctuation; single words aside. */
export function constantParts(line: string): string[] {
  return line
    .split(/…|\b\d[\d.]*\b|\b(?:N|hearthd|SIGKILL)\b|[:;()]/)
    .map((piece) => piece.trim())
    .filter((piece) => piece.includes(' '));
}

/** The sources of all that writes to the console. */
export function deviceSources(): string {
  return globSync(['src/device/**/*.ts', 'firmware/heart/src/*.c'], { cwd: REPOSITORY })
    .filter((file) => !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(REPOSITORY, file), 'utf8'))
    .join('\n');
}
