import { quoted } from '../../shell-words.ts';
import type { Values, Verb } from './tree.ts';
import { type Path, pathsOf } from './walk.ts';

/** For zsh: as a file _fw in a folder of $fpath, or sourced behind compinit. */
export function zshCompletion(root: Verb): string {
  const functions = pathsOf(root).map((path) => functionOf(path));
  return `#compdef ${root.name}
# Completion of ${root.name} for zsh; made by: ${root.name} completion zsh
${functions.join('\n')}
# Autoloaded this file is the function's body; sourced it only defines it.
if [ "$funcstack[1]" = "_${root.name}" ]; then _${root.name} "$@"; else compdef _${root.name} ${root.name}; fi
`;
}

function nameOf(words: string): string {
  return `_${words.replaceAll(' ', '_')}`;
}

function functionOf({ words, verb }: Path): string {
  const options = verb.options.map(optionSpec);
  const group = verb.verbs.length > 0;
  const rest = group
    ? ["'1: :->verb'", "'*:: :->rest'"]
    : verb.arguments.map(({ name, repeatable, values }, index) =>
        quoted(`${repeatable ? '*' : index + 1}:${escaped(name)}:${action(values)}`),
      );
  const lines = [`${nameOf(words)}() {`];
  if (group) lines.push('  local curcontext="$curcontext" state line', '  typeset -A opt_args');
  lines.push(`  _arguments ${group ? '-C ' : ''}-s \\`, ...continued([...options, ...rest]));
  if (group) {
    const list = verb.verbs.map(({ name, description }) => quoted(`${escaped(name)}:${description}`));
    const calls = verb.verbs.map(({ name }) => `${name}) ${nameOf(`${words} ${name}`)} ;;`);
    lines.push(
      '  case $state in',
      `    verb) local -a verbs=(${list.join(' ')}); _describe -t verbs verb verbs ;;`,
      `    rest) case $line[1] in ${calls.join(' ')} esac ;;`,
      '  esac',
    );
  }
  return [...lines, '}'].join('\n');
}

function continued(lines: string[]): string[] {
  return lines.map((line, index) => `    ${line}${index < lines.length - 1 ? ' \\' : ''}`);
}

/** '*'{-t+,--target=}'[text]:value:(a b)': either spelling, its value in the same word or the next; a flag once only. */
function optionSpec({ flags, description, value }: Verb['options'][number]): string {
  const spelt = flags.map((flag) => (value ? `${flag}${flag.startsWith('--') ? '=' : '+'}` : flag));
  const spellings = spelt.length > 1 ? `{${spelt.join(',')}}` : (spelt[0] ?? '');
  const before = value ? '*' : flags.length > 1 ? `(${flags.join(' ')})` : '';
  const after = `[${escaped(description)}]${value ? `:value:${action(value)}` : ''}`;
  return `${before ? quoted(before) : ''}${spellings}${quoted(after)}`;
}

function action(values: Values): string {
  if (values.kind === 'choices') return `(${values.choices.join(' ')})`;
  if (values.kind === 'files') return values.suffix ? `_files -g "*${values.suffix}"` : '_files';
  return values.kind === 'folders' ? '_files -/' : ' ';
}

/** What _arguments and _describe would read as the end of a part. */
function escaped(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&');
}
