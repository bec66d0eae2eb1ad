import { FwError } from '../../errors.ts';

/** The field `updateKeys` in the text of an fw.config.ts: its elements, as they are written there. */
export interface WrittenKeys {
  elements: string[];
  /** The text with other elements in their place. */
  replaced(elements: readonly string[]): string;
}

/** A text without `${}`, a comment, or whatever one character else. */
const TOKEN =
  /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\$]|\\.|\$(?!\{))*`|\/\/[^\n]*|\/\*[\s\S]*?\*\/|\w+|\s+|[\s\S]/g;

/**
 * Finds the field without understanding the rest of the program: a list of plain texts, written out in one place. Whatever else
 * a program may do to come by its keys is for its author to change.
 * @param file named in errors
 * @throws FwError `keys-not-literal`
 */
export function writtenKeys(source: string, file: string): WrittenKeys {
  const tokens = [...source.matchAll(TOKEN)].map(([text], at) => ({ text, at }));
  const spoken = tokens.filter(({ text }) => !/^(\s|\/\/|\/\*)/.test(text));
  const places = spoken.flatMap(({ text }, i) =>
    text === 'updateKeys' && spoken[i + 1]?.text === ':' && spoken[i + 2]?.text === '[' ? [i + 3] : [],
  );
  const [first, second] = places;
  if (first === undefined || second !== undefined) throw notLiteral(file);
  const elements: string[] = [];
  let i = first;
  for (; spoken[i]?.text !== ']'; i++) {
    const text = spoken[i]?.text ?? '';
    if (/^['"`]./.test(text)) elements.push(text);
    else if (text !== ',') throw notLiteral(file);
  }
  const from = spoken[first - 1]?.at ?? 0;
  const to = spoken[i]?.at ?? 0;
  const before = textOf(tokens.slice(0, from + 1));
  const after = textOf(tokens.slice(to));
  const indent = /^[ \t]*/.exec(before.slice(before.lastIndexOf('\n') + 1))?.[0] ?? '';
  return {
    elements,
    replaced: (next) => `${before}\n${next.map((each) => `${indent}  ${each},\n`).join('')}${indent}${after}`,
  };
}

function textOf(tokens: readonly { text: string }[]): string {
  return tokens.map(({ text }) => text).join('');
}

function notLiteral(file: string): FwError {
  return new FwError(
    'keys-not-literal',
    'updateKeys of fw.config.ts is no plain list of texts, which fw could change',
    {
      where: file,
      expected: "updateKeys: ['ssh-ed25519 …', …], once",
      remedy: 'Change it by hand, as docs/updates.md describes: the first key is the one that signs.',
    },
  );
}
