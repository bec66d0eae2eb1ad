import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { appEvents } from './app-events.ts';
import { interruptible } from './interruptible.ts';
import { type CommonOptions, verb } from './verb.ts';

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
      const { out, event, listeners } = appEvents(options);
      const nodeArgs = options.inspect
        ? [`--inspect=${options.inspect === true ? '127.0.0.1:9229' : options.inspect}`]
        : [];
      await interruptible((signal) =>
        develop(
          { dir: resolve(options.app), nodeArgs, signal },
          {
            ...listeners,
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
