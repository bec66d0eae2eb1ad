import { noArguments } from '../usage.ts';
import type { DeviceVerb } from '../verb.ts';

export const version: DeviceVerb = {
  name: 'version',
  usage: '',
  help: 'the firmware that runs',
  async run(context) {
    noArguments(context, 'version');
    const { product, version: number, uuid } = context.device;
    return { value: { product, version: number, uuid }, text: `${product} ${number} (${uuid})` };
  },
};
