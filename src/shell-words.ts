import { FwError } from './errors.ts';

/** Words of commands that people copy into a shell, and of scripts for shells. */

/** A word that no shell reads anything into. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The same, without quotes where there is nothing to read. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : quoted(text);
}

/**
 * The words of a command line, as a shell splits them: blanks part them, quotes and backslashes keep what they hold. Nothing
 * else of a shell: no variables, no patterns, no pipes.
 * @throws FwError `bad-command-line` for a quote that is not closed
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const char = line.charAt(at);
    const escapes = quote === '' || (quote === '"' && /["\\$`]/.test(line.charAt(at + 1)));
    if (char === '\\' && escapes && at + 1 < line.length) word = (word ?? '') + line.charAt(++at);
    else if (char === quote) quote = '';
    else if (quote === '' && (char === "'" || char === '"')) {
      quote = char;
      word ??= '';
    } else if (quote === '' && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + char;
  }
  if (quote !== '') {
    throw new FwError('bad-command-line', `the command has a ${quote} that is not closed`, {
      where: line,
      remedy: 'Close the quote, or put a backslash before it.',
    });
  }
  if (word !== undefined) words.push(word);
  return words;
}
