import { noArguments } from '../usage.ts';
import type { DeviceVerb } from '../verb.ts';

export const reboot: DeviceVerb = {
  name: 'reboot',
  usage: '',
  help: 'stop the app in good order and start the device anew',
  async run(context) {
    noArguments(context, 'reboot');
    context.afterwards(() => context.device.goDown('reboot', `asked by ${context.via}`));
    return { value: { rebooting: true }, text: 'rebooting' };
  },
};

export const poweroff: DeviceVerb = {
  name: 'poweroff',
  usage: '',
  help: 'stop the app in good order and switch the device off',
  async run(context) {
    noArguments(context, 'poweroff');
    context.afterwards(() => context.device.goDown('power-off', `asked by ${context.via}`));
    return { value: { poweringOff: true }, text: 'switching off' };
  },
};
