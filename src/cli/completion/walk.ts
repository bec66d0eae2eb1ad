import type { Values, Verb } from './tree.ts';

/** A command by all its words, such as 'fw key new'. */
export interface Path {
  words: string;
  verb: Verb;
}

/** A command and everything below it. */
export function pathsOf(verb: Verb, above = ''): Path[] {
  const words = above ? `${above} ${verb.name}` : verb.name;
  return [{ words, verb }, ...verb.verbs.flatMap((child) => pathsOf(child, words))];
}

/** The options of a command that take a value, and what it may be. */
export function valuedOptions(verb: Verb): { flags: string[]; value: Values }[] {
  return verb.options.flatMap(({ flags, value }) => (value ? [{ flags, value }] : []));
}
