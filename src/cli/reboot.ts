import type { Command } from 'commander';
import { deviceVerb, giveOrder } from './on-device.ts';
import type { CommonOptions } from './verb.ts';

export function rebootCommand(): Command {
  return deviceVerb('reboot', 'Reboot a device in good order', ['fw reboot hello.local']).action(
    (host: string, options: CommonOptions) =>
      giveOrder(host, { words: ['reboot'], done: 'reboots', goesDown: true }, options),
  );
}
