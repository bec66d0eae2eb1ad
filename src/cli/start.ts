import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { describeError } from './error-text.ts';
import { interruptible } from './interruptible.ts';
import { silent, terminalOutput } from './output.ts';
import { type CommonOptions, printJson, verb } from './verb.ts';

interface Options extends CommonOptions {
  app: string;
  inspect?: string | true;
}

export function startCommand(): Command {
  return verb('start', 'Run the app on this computer, and anew whenever a source file changes', [
    'fw start              the project in this folder; Ctrl-C ends it',
    'fw start --inspect    with a debugger: chrome://inspect, or your editor',
  ])
    .summary('Run the app on this computer; reload on change')
    .option('--app <dir>', 'the project', '.')
    .option('--inspect [host:port]', "open Node's inspector (default: 127.0.0.1:9229)", inspectAddress)
    .addHelpText(
      'after',
      `
The app is bundled and supervised as on a device: what fails is started again,
what hangs is killed. Its data is in .hearth/start/data of the project. With
--json each line is an event: output, report, state, reload, broken.`,
    )
    .action(async (options: Options) => {
      const { develop } = await import('../host/develop.ts');
      const { json = false, verbose = false } = options;
      const out = json ? silent : terminalOutput();
      const event = (name: string, rest: object): void => {
        if (json) printJson({ event: name, ...rest });
      };
      const nodeArgs = options.inspect
        ? [`--inspect=${options.inspect === true ? '127.0.0.1:9229' : options.inspect}`]
        : [];
      await interruptible((signal) =>
        develop(
          { dir: resolve(options.app), nodeArgs, signal },
          {
            onOutput: (line) => (json ? event('output', { line }) : process.stdout.write(`${line}\n`)),
            onReport: (message) => {
              out.warn(message);
              event('report', { message });
            },
            onState: (state) => {
              if (state.name === 'failed')
                out.warn('the app is failed: it runs again when a source file changes');
              event('state', state);
            },
            onBroken: (error) => {
              out.line(describeError(error, { stream: process.stderr, verbose }));
              event('broken', { code: error.code, message: error.message });
            },
            onReload: () => {
              out.line('a source file has changed: starting anew');
              event('reload', {});
            },
          },
        ),
      );
    });
}

function inspectAddress(text: string): string {
  if (/^([\w.[\]:-]+:)?\d{1,5}$/.test(text)) return text;
  throw new InvalidArgumentError('It must be PORT or HOST:PORT.');
}
