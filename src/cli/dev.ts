import { resolve } from 'node:path';
import type { Command } from 'commander';
import { appEvents } from './app-events.ts';
import { interruptible } from './interruptible.ts';
import { deviceVerb, linkTo, mayAsk } from './on-device.ts';
import type { CommonOptions } from './verb.ts';

interface Options extends CommonOptions {
  app: string;
}

export function devCommand(): Command {
  return deviceVerb(
    'dev',
    'Run the app of this project on a device, and anew whenever a source file changes',
    [
      'fw dev hello.local           the project in this folder; Ctrl-C ends it',
      'fw dev hello.local --json    one event a line, for editors',
    ],
  )
    .summary('Run the app on a device; reload on change')
    .option('--app <dir>', 'the project', '.')
    .addHelpText(
      'after',
      `
Only the app's code is sent, into the memory of the device, and only the app is
started anew; what it prints comes back. It stays there until the next reboot,
then the firmware's own app runs again. The firmware must have dev: true. With
--json each line is an event: connected, pushed, healthy, output, report, state,
broken.`,
    )
    .action(async (host: string, options: Options) => {
      const [link, { developOnDevice }] = await Promise.all([
        linkTo(host),
        import('../host/develop-on-device.ts'),
      ]);
      const { out, event, listeners } = appEvents(options);
      const seconds = (ms: number): string => (ms / 1000).toFixed(2);
      await interruptible((signal) =>
        developOnDevice(
          link,
          { dir: resolve(options.app), mayAsk: mayAsk(options), signal },
          {
            onConnected: (welcome) => {
              out.line(
                `${host}: ${welcome.product} ${welcome.version}; its app is this project's until it reboots`,
              );
              event('connected', welcome);
            },
            onPushed: (bytes) => event('pushed', { bytes }),
            onHealthy: (time) => {
              const { total, bundle, push, start } = time;
              out.line(
                `healthy after ${seconds(total)} s (bundled ${seconds(bundle)}, sent ${seconds(push)}, started ${seconds(start)})`,
              );
              event('healthy', time);
            },
            ...listeners,
          },
        ),
      );
    });
}
