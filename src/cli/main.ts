import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { describeError, errorJson } from './output.ts';
import { verbs } from './verbs.ts';

/** Runs the fw command. Returns the exit code: 0 ok, 1 failed, 2 wrong usage. */
export async function main(args: string[]): Promise<number> {
  const program = new Command('fw')
    .description('Turns a TypeScript app into firmware, and runs it.')
    .version(version(), '-V, --version')
    .showHelpAfterError('(fw --help shows the usage)')
    .exitOverride();
  for (const [heading, group] of verbs()) {
    for (const command of group) program.addCommand(command.helpGroup(heading));
  }
  for (const command of program.commands) {
    command.exitOverride().showHelpAfterError(`(fw ${command.name()} --help shows the usage)`);
    if (args.includes('--json')) command.configureOutput({ writeErr: () => {} });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (args.includes('--json')) printJson({ error: { code: 'wrong-usage', message: error.message } });
      return 2;
    }
    if (args.includes('--json')) printJson(errorJson(error));
    else process.stderr.write(`${describeError(error)}\n`);
    return 1;
  }
}

function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function version(): string {
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
