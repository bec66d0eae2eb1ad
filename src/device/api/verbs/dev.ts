import { FwError } from '../../../errors.ts';
import { encodeFrame, encodeJson } from '../../../update/transfer/frame.ts';
import { refusalOf } from '../../../update/transfer/messages.ts';
import type { Development } from '../../dev/development.ts';
import { DEV_FRAME } from '../../dev/frame.ts';
import { pushes } from '../../dev/pushes.ts';
import type { Device } from '../device.ts';
import { noArguments } from '../usage.ts';
import type { DeviceVerb, VerbContext } from '../verb.ts';

export const dev: DeviceVerb = {
  name: 'dev',
  usage: '',
  help: 'run an app from memory until the next boot, as fw dev speaks; only where the firmware has dev: true',
  async run(context) {
    const { output } = context.streams;
    try {
      noArguments(context, 'dev');
      await serve(context, await developmentOn(context.device));
    } catch (error) {
      // The caller reads frames, and a refusal is one.
      output.write(encodeJson(DEV_FRAME.refused, refusalOf(error)));
      throw error;
    }
    return undefined;
  },
};

/** @throws FwError `dev-refused`, `dev-on-trial` */
export async function developmentOn(device: Device): Promise<Development> {
  const { development, product } = device;
  if (!development)
    throw new FwError(
      'dev-refused',
      `${product} on this device was built for the field: it runs no code that is not signed`,
      {
        expected: 'a firmware with dev: true',
        remedy: 'Set dev: true in fw.config.ts of a device on your desk, and install that: fw upload HOST.',
      },
    );
  if ((await device.status()).trial)
    throw new FwError(
      'dev-on-trial',
      'the firmware on this device is on trial: another app would decide about it',
      {
        remedy: 'Wait for the end of the trial (fw status HOST), or end it: fw validate HOST.',
      },
    );
  return development;
}

async function serve({ streams: { input, output } }: VerbContext, development: Development): Promise<void> {
  const tell = (type: number, value: unknown): void => void output.write(encodeJson(type, value));
  const say = (type: number, text: string): void => void output.write(encodeFrame(type, Buffer.from(text)));
  tell(DEV_FRAME.welcome, development.welcome);
  const leave = development.watch({
    output: (line) => say(DEV_FRAME.output, line),
    report: (message) => say(DEV_FRAME.report, message),
    state: (state) => tell(DEV_FRAME.state, state),
  });
  try {
    for await (const { push, deflated } of pushes(input)) {
      try {
        await development.replace(deflated, push);
        say(DEV_FRAME.started, push.sha256);
      } catch (error) {
        // The next change may be better.
        tell(DEV_FRAME.refused, refusalOf(error));
      }
    }
  } finally {
    leave();
  }
}
