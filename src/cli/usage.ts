import { type Command, CommanderError } from 'commander';
import { FwError } from '../errors.ts';
import { nearest } from '../project/nearest.ts';

/** Wrong usage, by the one way in which fw tells errors. Ends with status 2. */
export class UsageError extends FwError {
  /** Whether help has been printed, which says it all. */
  readonly helpShown: boolean;

  constructor(message: string, remedy: string, { helpShown = false } = {}) {
    super('wrong-usage', message, { remedy });
    this.name = 'UsageError';
    this.helpShown = helpShown;
  }
}

/** Help or the version was asked for, and has been printed; by `code`, commander's own. */
export class Asked extends CommanderError {
  readonly command: Command;

  constructor({ exitCode, code, message }: CommanderError, command: Command) {
    super(exitCode, code, message);
    this.command = command;
  }
}

/**
 * Has a command and all below it throw instead of printing and exiting: `UsageError` for what is wrong, `Asked` when help
 * or the version was asked for.
 */
export function throwErrors(command: Command): void {
  command
    .exitOverride((error) => {
      throw error.exitCode === 0 ? new Asked(error, command) : usageError(error, command);
    })
    // Told by who catches it. Help that nobody asked for is printed all the same.
    .configureOutput({ outputError: () => {} });
  for (const child of command.commands) throwErrors(child);
}

function usageError({ code, message }: CommanderError, command: Command): UsageError {
  const help = helpOf(command);
  if (code === 'commander.help')
    return new UsageError('a verb is missing', `${help} lists the verbs.`, { helpShown: true });
  const [what = '', guess] = message.replace(/^error: /, '').split(/\n\(Did you mean (.*)\?\)$/);
  return new UsageError(what, `${guess ? `Did you mean ${guess}? ` : ''}${help} shows the usage.`);
}

function helpOf(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at; at = at.parent) names.unshift(at.name());
  return `'${names.join(' ')} --help'`;
}

/** The command that words such as ['key', 'new'] stand for. */
export function findCommand(program: Command, words: readonly string[]): Command {
  let at = program;
  for (const word of words) {
    const next = at.commands.find((command) => command.name() === word || command.aliases().includes(word));
    if (!next) {
      const guess = nearest(
        word,
        at.commands.map((command) => command.name()),
      );
      const hint = guess ? `Did you mean ${guess}? ` : '';
      throw new UsageError(`unknown command '${word}'`, `${hint}${helpOf(at)} shows the usage.`);
    }
    at = next;
  }
  return at;
}
