import type { DeviceVerb } from './verb.ts';
import { debug } from './verbs/debug.ts';
import { dev } from './verbs/dev.ts';
import { factoryReset } from './verbs/factory-reset.ts';
import { hostname } from './verbs/hostname.ts';
import { key } from './verbs/key.ts';
import { poweroff, reboot } from './verbs/power.ts';
import { reachable } from './verbs/reachable.ts';
import { revert } from './verbs/revert.ts';
import { status } from './verbs/status.ts';
import { update } from './verbs/update.ts';
import { validate } from './verbs/validate.ts';
import { version } from './verbs/version.ts';

const help: DeviceVerb = {
  name: 'help',
  usage: '',
  help: 'what this device can be asked for',
  run: async () => ({
    value: VERBS.map(({ name, usage, help: text }) => ({ name, usage, help: text })),
    text: overview(),
  }),
};

/** All that a device can be asked for. */
export const VERBS: readonly DeviceVerb[] = [
  status,
  update,
  validate,
  revert,
  reachable,
  reboot,
  poweroff,
  factoryReset,
  key,
  hostname,
  version,
  dev,
  debug,
  help,
];

function overview(): string {
  const calls = VERBS.map(({ name, usage, help: text }) => ({ call: `${name} ${usage}`.trimEnd(), text }));
  const width = Math.max(...calls.map(({ call }) => call.length));
  return calls.map(({ call, text }) => `  ${call.padEnd(width)}  ${text}`).join('\n');
}
