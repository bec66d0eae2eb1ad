import { FwError } from '../../../errors.ts';
import { badUsage } from '../usage.ts';
import type { DeviceVerb } from '../verb.ts';

/** The session alone proves that the link is up again; the UUID proves that it is the firmware that was sent. */
export const reachable: DeviceVerb = {
  name: 'reachable',
  usage: 'UUID',
  help: 'the sender of an update is back, and asks whether that firmware runs',
  async run({ args, device }) {
    const [uuid, ...more] = args;
    if (uuid === undefined || more.length > 0) throw badUsage('reachable takes a UUID', 'reachable UUID');
    if (uuid === device.uuid) return { value: { uuid }, text: `${device.version} runs` };
    throw new FwError('another-firmware', `another firmware runs: ${device.version}`, {
      where: device.uuid,
      expected: uuid,
      remedy: 'See how the update has ended: ssh HOST status.',
    });
  },
};
