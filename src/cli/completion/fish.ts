import { quoted } from '../../shell-words.ts';
import type { Values, Verb } from './tree.ts';
import { pathsOf, valuedOptions } from './walk.ts';

/** For fish 3 and later. */
export function fishCompletion(root: Verb): string {
  const paths = pathsOf(root);
  const verbs = paths.filter(({ words }) => words !== root.name).map(({ words }) => quoted(words));
  const valued = paths.flatMap(({ words, verb }) =>
    valuedOptions(verb).flatMap(({ flags }) => flags.map((flag) => quoted(`${words} ${flag}`))),
  );
  return `# Completion of ${root.name} for fish; made by: ${root.name} completion fish
function __${root.name}_at --description 'Whether the words so far are those of this command'
  set -l at ${root.name}
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
      continue
    end
    switch "$at $word"
      case ${verbs.join(' ')}
        set at "$at $word"
      case ${valued.join(' ')}
        set skip 1
    end
  end
  test "$at" = "$argv[1]"
end
complete -c ${root.name} -f
${paths.flatMap(({ words, verb }) => linesOf(words, verb)).join('\n')}
`;

  function linesOf(words: string, verb: Verb): string[] {
    const when = `complete -c ${root.name} -n ${quoted(`__${root.name}_at "${words}"`)}`;
    const children = verb.verbs.map(
      ({ name, description }) => `${when} -a ${quoted(name)} -d ${quoted(description)}`,
    );
    const values = verb.verbs.length > 0 ? [] : verb.arguments;
    const places = values.flatMap(({ name, values }) => {
      const candidates = argumentsOf(values);
      return candidates ? [`${when} ${candidates} -d ${quoted(name)}`] : [];
    });
    const options = verb.options.map(({ flags, description, value }) => {
      const names = flags.map((flag) => flag.replace(/^--/, '-l ').replace(/^-(?!l )/, '-s '));
      const takes = value ? ` ${argumentsOf(value) ?? '-x'}` : '';
      return `${when} ${names.join(' ')}${takes} -d ${quoted(description)}`;
    });
    return [...children, ...places, ...options];
  }
}

/** What completes a value; undefined when nothing does. */
function argumentsOf(values: Values): string | undefined {
  if (values.kind === 'choices') return `-x -a ${quoted(values.choices.join(' '))}`;
  if (values.kind === 'files')
    return values.suffix ? `-x -a ${quoted(`(${suffixed(values.suffix)})`)}` : '-r -F';
  return values.kind === 'folders' ? `-x -a '(__fish_complete_directories)'` : undefined;
}

/** fish's own function puts the wanted files first, but gives all others too. */
function suffixed(suffix: string): string {
  const wanted = `(?:\\${suffix}|/)(?:\\t.*)?$`;
  return `__fish_complete_suffix ${suffix} | string match -r -- ${quoted(`.*${wanted}`)}`;
}
