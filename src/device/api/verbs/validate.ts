import { noArguments } from '../usage.ts';
import type { DeviceVerb } from '../verb.ts';

export const validate: DeviceVerb = {
  name: 'validate',
  usage: '',
  help: 'make the firmware on trial permanent',
  async run(context) {
    noArguments(context, 'validate');
    await context.device.updates.validate(`by hand, over ${context.via}`);
    return { value: { validated: context.device.uuid }, text: `validated: ${context.device.version}` };
  },
};
