import type { Command } from 'commander';
import { FwError } from '../errors.ts';
import { describeError, errorJson } from './error-text.ts';
import { thisPackage } from './package.ts';
import { fwProgram } from './program.ts';
import { Asked, UsageError } from './usage.ts';
import { printJson } from './verb.ts';

/** Runs the fw command. Returns the exit code: 0 ok, 1 failed, 2 wrong usage. */
export async function main(args: string[]): Promise<number> {
  const words = args.slice(0, args.includes('--') ? args.indexOf('--') : undefined);
  const [json, verbose] = [words.includes('--json'), words.includes('--verbose')];
  const tell = (error: unknown): void => tellError(error, json, verbose);
  // An error that reaches nobody is our bug: it is told as one, in the form that was asked for.
  process.on('uncaughtException', (error) => {
    tell(error);
    process.exit(1);
  });
  const output = watchOutput();
  const program = fwProgram();
  if (json) silence(program);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof Asked)) {
      tell(error);
      return error instanceof UsageError ? 2 : 1;
    }
    // Help or the version was asked for, and has been printed unless a program asked.
    if (json) printJson(error.code === 'commander.version' ? thisPackage() : await helpAsData(error.command));
  }
  const failure = await output.failure();
  if (!failure) return Number(process.exitCode ?? 0);
  tellError(failure, false, verbose);
  return 1;
}

async function helpAsData(command: Command): Promise<object> {
  const { describeTree } = await import('./completion/tree.ts');
  return describeTree(command);
}

function tellError(error: unknown, json: boolean, verbose: boolean): void {
  if (json) printJson(errorJson(error, { verbose }));
  else if (!(error instanceof UsageError && error.helpShown)) {
    const reportTo = thisPackage().bugs;
    process.stderr.write(`${describeError(error, { stream: process.stderr, verbose, reportTo })}\n`);
  }
}

/** For programs, help is JSON too. */
function silence(command: Command): void {
  command.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  for (const child of command.commands) silence(child);
}

/**
 * Nobody who reads any more (`fw … | head -1`) is no failure: what was to be done is done, in silence. Output that could
 * not be written, on a full disk say, is one.
 */
function watchOutput(): { failure(): Promise<FwError | undefined> } {
  let failed: NodeJS.ErrnoException | undefined;
  const { stdout, stderr } = process;
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') failed = error;
  });
  // There is nowhere left to say it.
  stderr.on('error', () => {});
  return {
    async failure() {
      // Called when everything before it is written; that a write has failed is told a turn later.
      if (stdout.writable) await new Promise<void>((resolve) => void stdout.write('', () => resolve()));
      await new Promise(setImmediate);
      if (!failed) return undefined;
      return new FwError('output-failed', `the result could not be written: ${failed.message}`, {
        where: 'standard output',
        remedy: 'Make room, or send the output elsewhere. What the command did stays done.',
        cause: failed,
      });
    },
  };
}
