import { Command } from 'commander';

/** Options that every verb has. */
export interface CommonOptions {
  json?: boolean;
  verbose?: boolean;
}

/** A verb of `fw`, with the options that all have. `examples` are lines of help, each a command and what it does. */
export function verb(name: string, description: string, examples: string[]): Command {
  return new Command(name)
    .description(description)
    .option('--json', 'print one JSON object about the result')
    .option('--verbose', 'say more; errors come with their stack')
    .addHelpText('after', `\nExamples:\n${examples.map((line) => `  ${line}`).join('\n')}`);
}

/** What a verb has found, on standard output: one JSON object for programs, else text for people. */
export function printResult(result: object, { json }: CommonOptions, forPeople: () => string): void {
  process.stdout.write(`${json ? JSON.stringify(result) : forPeople()}\n`);
}
