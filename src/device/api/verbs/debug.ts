import { pipeline } from 'node:stream/promises';
import { FwError } from '../../../errors.ts';
import { connectInspector } from '../../dev/inspector.ts';
import { badUsage } from '../usage.ts';
import type { Answer, DeviceVerb, VerbContext } from '../verb.ts';
import { developmentOn } from './dev.ts';

export const debug: DeviceVerb = {
  name: 'debug',
  usage: '[--check]',
  help: "a connection to the inspector of the app's Node, as fw debug uses it; only where the firmware has dev: true",
  async run(context): Promise<Answer | undefined> {
    const { args, device } = context;
    const check = args.length === 1 && args[0] === '--check';
    if (args.length > 0 && !check) throw badUsage('debug takes no arguments', 'debug [--check]');
    const development = await developmentOn(device);
    const pid = await development.pid();
    if (pid === undefined)
      throw new FwError('debug-no-app', 'the app does not run now', {
        where: (await device.status()).app.name,
        remedy:
          'See what keeps it from running: fw status HOST. What fails at its start: fw start --inspect, here.',
      });
    const socket = await connectInspector({ pid });
    if (check) {
      socket.destroy();
      return { value: { pid }, text: `the app's inspector is open, pid ${pid}` };
    }
    await joined(context, socket, development.debug());
    return undefined;
  },
};

/** Until either side has had enough. */
async function joined(
  { streams: { input, output } }: VerbContext,
  socket: Awaited<ReturnType<typeof connectInspector>>,
  leave: () => void,
): Promise<void> {
  // Its end is what comes of it, on both sides alike: which of them breaks off first says nothing.
  const outwards = pipeline(socket, output, { end: false }).catch(() => {});
  const inwards = pipeline(input, socket).catch(() => {});
  try {
    await Promise.race([outwards, inwards]);
  } finally {
    socket.destroy();
    leave();
  }
}
