import type { Command, Option } from 'commander';
import { targetNames } from '../../build/targets.ts';

/** What a value can be completed with. */
export type Values =
  | { kind: 'choices'; choices: string[] }
  /** Any file, or those whose name ends so, such as '.fw'. */
  | { kind: 'files'; suffix?: string }
  | { kind: 'folders' }
  | { kind: 'anything' };

/** A command as data: what help lists, programs read (`fw --help --json`), and shells complete. */
export interface Verb {
  name: string;
  description: string;
  verbs: Verb[];
  options: { flags: string[]; description: string; value?: Values }[];
  arguments: { name: string; required: boolean; repeatable: boolean; values: Values }[];
}

export function describeTree(command: Command): Verb {
  const helper = command.createHelp();
  return {
    name: command.name(),
    description: command.summary() || command.description(),
    verbs: helper.visibleCommands(command).map(describeTree),
    options: helper.visibleOptions(command).map(describeOption),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      required: argument.required,
      repeatable: argument.variadic,
      values: valuesOf(argument.name(), argument.argChoices, command),
    })),
  };
}

function describeOption(option: Option): Verb['options'][number] {
  const { long, short, description, argChoices } = option;
  const flags = [long, short].filter((flag) => flag !== undefined && flag !== null);
  const [, placeholder] = /[<[]([^>\]]+)[>\]]/.exec(option.flags) ?? [];
  if (placeholder === undefined) return { flags, description };
  return { flags, description, value: valuesOf(placeholder, argChoices) };
}

/** By the name of a value: the convention that `verb()` describes. */
function valuesOf(placeholder: string, choices: readonly string[] | undefined, command?: Command): Values {
  const name = placeholder.replace(/\.\.\.$/, '');
  if (choices) return { kind: 'choices', choices: [...choices] };
  if (name === 'target') return { kind: 'choices', choices: targetNames() };
  if (name === 'verb')
    return {
      kind: 'choices',
      choices: (command?.parent?.commands ?? []).map((sibling) => sibling.name()),
    };
  if (/^(dir|folder)$/.test(name)) return { kind: 'folders' };
  if (name === 'file') return { kind: 'files' };
  const [, suffix] = /^\w+(\.\w+)$/.exec(name) ?? [];
  return suffix ? { kind: 'files', suffix } : { kind: 'anything' };
}
