import { noArguments } from '../usage.ts';
import type { DeviceVerb } from '../verb.ts';

export const revert: DeviceVerb = {
  name: 'revert',
  usage: '',
  help: 'give the firmware on trial up, and reboot into the one before it',
  async run(context) {
    noArguments(context, 'revert');
    const { device, via } = context;
    const reason = `by hand, over ${via}`;
    await device.updates.revert(reason);
    context.afterwards(() => device.goDown('reboot', `update reverted: ${reason}`));
    return { value: { reverting: device.uuid }, text: `reverting ${device.version}: rebooting` };
  },
};
