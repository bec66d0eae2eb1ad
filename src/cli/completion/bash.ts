import { quoted } from '../../shell-words.ts';
import type { Values, Verb } from './tree.ts';
import { pathsOf, valuedOptions } from './walk.ts';

/** For bash from 3.2 on, which macOS has; needs no bash-completion. */
export function bashCompletion(root: Verb): string {
  const paths = pathsOf(root);
  const verbs = paths.filter(({ words }) => words !== root.name).map(({ words }) => quoted(words));
  const valued = paths.flatMap(({ words, verb }) =>
    valuedOptions(verb).map(({ flags, value }) => ({
      pattern: flags.map((flag) => quoted(`${words} ${flag}`)).join('|'),
      value,
    })),
  );
  return `# Completion of ${root.name} for bash; made by: ${root.name} completion bash
_${root.name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} at=${root.name} place=0 i=1
  COMPREPLY=()
  # bash takes --option=value apart into three words.
  if [ "$cur" = = ]; then cur=; elif [ "$prev" = = ]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  while [ $i -lt $COMP_CWORD ]; do
    case "$at \${COMP_WORDS[i]}" in
      ${verbs.join('|')}) at="$at \${COMP_WORDS[i]}" ;;
      ${valued.map(({ pattern }) => pattern).join('|')})
        if [ "\${COMP_WORDS[i+1]}" = = ]; then i=$((i+1)); fi
        i=$((i+1)) ;;
      *' -'*) ;;
      *) place=$((place+1)) ;;
    esac
    i=$((i+1))
  done
  case "$at $prev" in
${valued.map(({ pattern, value }) => `    ${pattern}) ${complete(value)}; return ;;`).join('\n')}
  esac
  case "$at$cur" in
${paths.map(({ words, verb }) => `    ${quoted(`${words}-`)}*) _${root.name}_words ${quoted(flagsOf(verb))}; return ;;`).join('\n')}
  esac
  case "$at $place" in
${paths.flatMap(({ words, verb }) => places(words, verb)).join('\n')}
  esac
}
_${root.name}_words() { COMPREPLY=($(compgen -W "$1" -- "$cur")); }
_${root.name}_files() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -f -X "!*$1" -- "$cur"; compgen -d -- "$cur"))
  compopt -o filenames 2>/dev/null
}
_${root.name}_folders() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -d -- "$cur"))
  compopt -o filenames 2>/dev/null
}
complete -F _${root.name} ${root.name}
`;

  function complete(values: Values): string {
    if (values.kind === 'choices') return `_${root.name}_words ${quoted(values.choices.join(' '))}`;
    if (values.kind === 'files') return `_${root.name}_files ${quoted(values.suffix ?? '')}`;
    return values.kind === 'folders' ? `_${root.name}_folders` : ':';
  }

  function places(words: string, verb: Verb): string[] {
    if (verb.verbs.length > 0) {
      const names = verb.verbs.map(({ name }) => name).join(' ');
      return [`    ${quoted(`${words} 0`)}) _${root.name}_words ${quoted(names)} ;;`];
    }
    return verb.arguments.map(({ values, repeatable }, index) => {
      const pattern = repeatable ? `${quoted(`${words} `)}*` : quoted(`${words} ${index}`);
      return `    ${pattern}) ${complete(values)} ;;`;
    });
  }
}

function flagsOf(verb: Verb): string {
  return verb.options.flatMap(({ flags }) => flags).join(' ');
}
