import { noArguments } from '../usage.ts';
import type { DeviceVerb } from '../verb.ts';

export const factoryReset: DeviceVerb = {
  name: 'factory-reset',
  usage: '',
  help: 'forget all of /data and reboot; the firmware, the keys and the name stay',
  async run(context) {
    noArguments(context, 'factory-reset');
    await context.device.forgetData();
    context.afterwards(() => context.device.goDown('reboot', 'factory reset'));
    return { value: { resetting: true }, text: 'forgetting /data: rebooting' };
  },
};
