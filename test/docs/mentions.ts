import type { Command } from 'commander';
import { fwProgram } from '../../src/cli/program.ts';
import { readPage } from './blocks.ts';

/** A command line of fw that a page mentions: in a sentence, a table or a block. */
export interface Mention {
  line: number;
  /** Without `npx` and `fw`. */
  words: string[];
}

/** Every `fw …` that stands as code on a page. */
export function mentions(page: string): Mention[] {
  return mentionsIn(readPage(page));
}

export function mentionsIn(text: string): Mention[] {
  const found: Mention[] = [];
  let fenced = false;
  for (const [index, line] of text.split('\n').entries()) {
    if (/^\s*```/.test(line)) fenced = !fenced;
    const codes = fenced
      ? [line.replace(/\s#\s.*/, '')]
      : [...line.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
    for (const code of codes) {
      const [, rest] = /^(?:\$ )?(?:npx (?:--\S+ )*)?fw (.*)$/.exec(code.trim()) ?? [];
      if (rest !== undefined)
        found.push({ line: index + 1, words: rest.split(/[|>]/)[0]?.trim().split(/\s+/) ?? [] });
    }
  }
  return found;
}

/** What is wrong with a mention: a verb or an option that fw does not have. Words in capitals stand for the reader's. */
export function misled({ words }: Mention): string | undefined {
  let command: Command = fwProgram();
  for (const word of words) {
    if (/^([A-Z]+|…)$/.test(word)) return undefined;
    if (word.startsWith('-')) {
      const name = word.split('=')[0] ?? '';
      const known = [...command.options.flatMap(({ long, short }) => [long, short]), '--help', '-h'];
      if (!known.includes(name)) return `fw ${command.name()} has no option ${name}`;
    } else if (command.commands.length > 0) {
      const next = command.commands.find((each) => each.name() === word);
      if (!next) return `${command.name()} has no verb ${word}`;
      command = next;
    }
  }
  return undefined;
}
