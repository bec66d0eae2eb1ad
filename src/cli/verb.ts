import { Command, Option } from 'commander';
import { COMMON_OPTIONS, examplesHelp, verbHelp } from './help.ts';

/** Options that every verb has. */
export interface CommonOptions {
  json?: boolean;
  verbose?: boolean;
}

/**
 * A verb of `fw`, with the options that all have. `examples` are lines of help, each a command and what it does.
 *
 * The name of an option's or argument's value says what a shell may complete it with: `<file.fw>`, `<disk.img>` (files of
 * that kind), `<file>`, `<dir>`, `<target>`, `<verb>`; everything else is the user's to know. `.choices()` are completed too.
 *
 * The module of a verb is loaded whenever `fw` starts; what is heavy (esbuild, zod, the pipeline) is imported inside its
 * action, so that `fw --help` answers at once.
 */
export function verb(name: string, description: string, examples: string[]): Command {
  const common = (flags: string, text: string): Option => new Option(flags, text).helpGroup(COMMON_OPTIONS);
  return new Command(name)
    .description(description)
    .configureHelp(verbHelp)
    .helpCommand(false)
    .addOption(common('--json', 'print one JSON object about the result'))
    .addOption(common('--verbose', 'say more; errors come with their stack'))
    .addHelpOption(common('-h, --help', 'show this'))
    .addHelpText('after', ({ command, error }) => examplesHelp(examples, command, error));
}

/** What a verb has found, on standard output: one JSON object for programs, else text for people. */
export function printResult(result: object, { json }: CommonOptions, forPeople: () => string): void {
  if (json) printJson(result);
  else process.stdout.write(`${forPeople()}\n`);
}

/** One JSON object on a line of its own: the result, or for a verb that goes on, one of its events. */
export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}
