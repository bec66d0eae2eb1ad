import type { Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { badUsage } from '../usage.ts';
import type { Answer, DeviceVerb, VerbContext } from '../verb.ts';
import { developmentOn } from './dev.ts';

export const debug: DeviceVerb = {
  name: 'debug',
  usage: '[--check]',
  help: "a connection to the inspector of the app's Node, as fw debug uses it; only where the firmware has dev: true",
  async run({ args, device, streams }): Promise<Answer | undefined> {
    const check = args.length === 1 && args[0] === '--check';
    if (args.length > 0 && !check) throw badUsage('debug takes no arguments', 'debug [--check]');
    const socket = await (await developmentOn(device)).inspect();
    if (!check) {
      await joined(socket, streams);
      return undefined;
    }
    socket.destroy();
    return { value: { inspector: true }, text: "the app's inspector is open" };
  },
};

/** Until either side has had enough: which of them breaks off, and how, says nothing. */
async function joined(
  socket: Socket,
  { input, output }: Pick<VerbContext['streams'], 'input' | 'output'>,
): Promise<void> {
  const outwards = pipeline(socket, output, { end: false }).catch(() => {});
  const inwards = pipeline(input, socket).catch(() => {});
  await Promise.race([outwards, inwards]);
  socket.destroy();
  await outwards;
}
