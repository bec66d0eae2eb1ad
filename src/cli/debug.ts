import { type Command, InvalidArgumentError } from 'commander';
import { describeError } from './error-text.ts';
import { interruptible } from './interruptible.ts';
import { deviceVerb, linkTo, mayAsk } from './on-device.ts';
import { silent, terminalOutput } from './output.ts';
import { type CommonOptions, printJson } from './verb.ts';

interface Options extends CommonOptions {
  port: number;
}

/** Where debuggers look for Node. */
const PORT = 9229;

export function debugCommand(): Command {
  return deviceVerb('debug', "Debug the app on a device: Node's inspector, by way of ssh", [
    'fw debug hello.local           then chrome://inspect, or an editor; Ctrl-C ends it',
    'fw debug hello.local --port 0  on any free port of this computer',
  ])
    .summary('Debug the app on a device')
    .option('--port <port>', 'the port of this computer', portNumber, PORT)
    .addHelpText(
      'after',
      `
The inspector is opened on the device for itself alone, and reached from this
computer alone. The app may stand at a breakpoint for as long as a debugger is
connected. The firmware must have dev: true. With fw dev beside it, the debugger
knows the source files.`,
    )
    .action(async (host: string, options: Options) => {
      const [link, { debugTunnel }] = await Promise.all([linkTo(host), import('../host/debug-tunnel.ts')]);
      const { json = false, verbose = false, port } = options;
      const out = json ? silent : terminalOutput();
      await interruptible((signal) =>
        debugTunnel(
          link,
          { port, mayAsk: mayAsk(options), signal },
          {
            onListening: (about) => {
              if (json) printJson({ event: 'listening', ...about });
              else process.stdout.write(`listening on ${about.host}:${about.port}\n${about.devtools}\n`);
            },
            onFailure: (error) => {
              out.line(describeError(error, { stream: process.stderr, verbose }));
              if (json) printJson({ event: 'failure', code: error.code, message: error.message });
            },
          },
        ),
      );
    });
}

function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 0xffff) return port;
  throw new InvalidArgumentError('It must be a number from 0 to 65535.');
}
