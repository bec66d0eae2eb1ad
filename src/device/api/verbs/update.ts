import { rebootInto } from '../../../update/machine.ts';
import { encodeJson, FRAME } from '../../../update/transfer/frame.ts';
import { refusalOf } from '../../../update/transfer/messages.ts';
import { REBOOTING } from '../../../update/transfer/receive.ts';
import { badUsage } from '../usage.ts';
import type { Answer, DeviceVerb, VerbContext } from '../verb.ts';

export const update: DeviceVerb = {
  name: 'update',
  usage: '[--frames] < FILE.fw',
  help: 'take a firmware in, and reboot into it on trial; --frames as fw upload speaks',
  async run(context) {
    const { args } = context;
    const frames = args.length === 1 && args[0] === '--frames';
    if (args.length > 0 && !frames)
      throw badUsage('update takes a firmware on its input', 'update [--frames]');
    return frames ? byFrames(context) : byFile(context);
  },
};

async function byFile(context: VerbContext): Promise<Answer> {
  const { streams, via } = context;
  const version = await staged(context, {
    frames: false,
    onProgress: onTenths((tenths) => streams.errorOutput.write(`checking the slot: ${tenths * 10} %\n`)),
  });
  return {
    value: { staged: version, rebooting: true },
    text: `${version} is installed: rebooting for its trial. It stays when its app is healthy and somebody comes back by ${via}: ssh HOST status`,
  };
}

/** The sender reads frames, and a refusal is one. */
async function byFrames(context: VerbContext): Promise<undefined> {
  const { output } = context.streams;
  try {
    await staged(context, { frames: true, onProgress() {} });
    output.write(REBOOTING);
  } catch (error) {
    output.write(encodeJson(FRAME.refused, refusalOf(error)));
    throw error;
  }
}

async function staged(
  { device, via, streams: { input, output }, afterwards }: VerbContext,
  how: { frames: boolean; onProgress(done: number, total: number): void },
): Promise<string> {
  const send = (bytes: Uint8Array): void => void output.write(bytes);
  const version = await device.updates.receive({ source: input, via, send, ...how });
  await device.updates.try();
  afterwards(() => device.goDown('reboot', rebootInto(version)));
  return version;
}

function onTenths(say: (tenths: number) => void): (done: number, total: number) => void {
  let last = 0;
  return (done, total) => {
    const tenths = Math.floor((10 * done) / total);
    if (tenths > last) say(tenths);
    last = tenths;
  };
}
