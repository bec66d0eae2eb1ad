import { badUsage } from '../usage.ts';
import type { DeviceVerb } from '../verb.ts';

const USAGE = '[NAME | --reset]';

export const hostname: DeviceVerb = {
  name: 'hostname',
  usage: USAGE,
  help: "the device's name, or give it another one; --reset: the firmware's again",
  async run({ args, device: { hostname } }) {
    const [name, ...more] = args;
    if (more.length > 0 || (name?.startsWith('-') && name !== '--reset'))
      throw badUsage('hostname takes one name', `hostname ${USAGE}`);
    if (name === undefined) {
      const value = await hostname.read();
      return { value, text: value.hostname };
    }
    const value = await hostname.give(name === '--reset' ? undefined : name);
    return { value, text: `this device is called ${value.hostname} now` };
  },
};
