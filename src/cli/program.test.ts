import { Command, CommanderError } from 'commander';
import { describe, expect, test } from 'vitest';
import { COMMON_OPTIONS } from './help.ts';
import { fwProgram } from './program.ts';
import { Asked, UsageError } from './usage.ts';

const WIDTH = 80;
/** More verbs than a terminal of 24 lines has room for; it is the half of a screen of today. */
const HEIGHT = 40;

/** Runs a command line in which no action is reached: what was printed, and what was thrown. */
async function told(...args: string[]): Promise<{ out: string; err: string; error: unknown }> {
  const program = fwProgram();
  let [out, err] = ['', ''];
  const listen = (command: Command): void => {
    command.configureOutput({
      writeOut: (text) => {
        out += text;
      },
      writeErr: (text) => {
        err += text;
      },
      getOutHelpWidth: () => WIDTH,
      getErrHelpWidth: () => WIDTH,
    });
    command.commands.forEach(listen);
  };
  listen(program);
  const error = await program.parseAsync(args, { from: 'user' }).catch((thrown: unknown) => thrown);
  return { out, err, error };
}

function everyCommand(
  command: Command = fwProgram(),
  above: string[] = [],
): { words: string[]; command: Command }[] {
  return command.commands.flatMap((child) => {
    const words = [...above, child.name()];
    return [{ words, command: child }, ...everyCommand(child, words)];
  });
}

describe('help', () => {
  test('of fw fits one screen, with the prompt', async () => {
    const { out, error } = await told('--help');
    expect(error).toBeInstanceOf(CommanderError);
    const lines = out.trimEnd().split('\n');
    expect(lines.length).toBeLessThan(HEIGHT);
    // The path of the documentation is as long as it is.
    for (const line of lines.slice(0, -1)) expect(line.length, line).toBeLessThanOrEqual(WIDTH);
    expect((await told('help')).out).toBe(out);
  });

  test.each(everyCommand().map(({ words, command }) => [words.join(' '), words, command] as const))(
    'of fw %s has examples, its common options last, and no line that is too wide',
    async (_name, words, command) => {
      const { out, err, error } = await told('help', ...words);
      expect([err, error]).toEqual(['', expect.any(CommanderError)]);
      expect((await told(...words, '--help')).out).toBe(out);
      expect(out).toMatch(/\nExamples:\n {2}fw /);
      for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(WIDTH);
      const headings: string[] = out.match(/^[A-Z][a-z]+( [a-z]+)?:$/gm) ?? [];
      const groups = command.commands.length > 0 ? [COMMON_OPTIONS, 'Commands:'] : [COMMON_OPTIONS];
      expect(headings.slice(0, headings.indexOf('Examples:')).slice(-groups.length)).toEqual(groups);
      // One style: a phrase that begins with a capital letter and has no full stop.
      expect(command.description()).toMatch(/^[A-Z].*[^.]$/);
    },
  );

  test.each(everyCommand().filter(({ command }) => command.commands.length === 0))(
    'fw $words knows --json and --verbose',
    ({ command }) => {
      expect(command.options.map(({ long }) => long)).toEqual(
        expect.arrayContaining(['--json', '--verbose']),
      );
    },
  );
});

test.each([
  [['build', '--help'], 'build'],
  [['help', 'build'], 'build'],
  [['key', '--help'], 'key'],
  [['key', 'new', '--help'], 'new'],
  [['--help'], 'fw'],
])('fw %j asks for the help of %s alone', async (args, name) => {
  const { error } = await told(...args);
  expect(error).toBeInstanceOf(Asked);
  expect((error as Asked).command.name()).toBe(name);
});

describe('wrong usage', () => {
  test.each([
    [['biuld'], "unknown command 'biuld'", "Did you mean build? 'fw --help' shows the usage."],
    [['help', 'biuld'], "unknown command 'biuld'", "Did you mean build? 'fw --help' shows the usage."],
    [['key', 'lits'], "unknown command 'lits'", "Did you mean list? 'fw key --help' shows the usage."],
    [
      ['build', '--taget', 'rpi3'],
      "unknown option '--taget'",
      "Did you mean --target? 'fw build --help' shows the usage.",
    ],
    [['frobnicate'], "unknown command 'frobnicate'", "'fw --help' shows the usage."],
    [['image', '-o', 'x'], "missing required argument 'file.fw'", "'fw image --help' shows the usage."],
    [
      ['run', 'x.fw', '--target', 'rpi3'],
      /^x\.fw has its target already/,
      "'fw run --help' shows the usage.",
    ],
    [['build', 'extra'], /^too many arguments for 'build'/, "'fw build --help' shows the usage."],
    [['run', '--memory', 'much'], /whole number of MiB/, "'fw run --help' shows the usage."],
  ])('fw %j', async (args, message, remedy) => {
    const { out, err, error } = await told(...args);
    // Told by who catches it, once.
    expect([out, err]).toEqual(['', '']);
    expect(error).toBeInstanceOf(UsageError);
    expect(error).toMatchObject({ code: 'wrong-usage', remedy });
    expect((error as UsageError).message).toMatch(message);
  });

  test('without a verb is help, on standard error: nothing was done', async () => {
    for (const args of [[], ['key']]) {
      const { out, err, error } = await told(...args);
      expect([out, err.startsWith('Usage: fw ')]).toEqual(['', true]);
      expect(error).toMatchObject({ message: 'a verb is missing', helpShown: true });
    }
  });
});

test('--json and --verbose may stand before the verb', async () => {
  const program = fwProgram();
  const seen: unknown[] = [];
  program.addCommand(new Command('probe').action((options) => void seen.push(options)));
  await program.parseAsync(['--json', 'probe'], { from: 'user' });
  expect(seen).toEqual([{ json: true }]);
});
