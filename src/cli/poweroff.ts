import type { Command } from 'commander';
import { deviceVerb, giveOrder } from './on-device.ts';
import type { CommonOptions } from './verb.ts';

export function poweroffCommand(): Command {
  return deviceVerb('poweroff', 'Switch a device off in good order: its power may be cut then', [
    'fw poweroff hello.local',
  ])
    .summary('Switch a device off in good order')
    .action((host: string, options: CommonOptions) =>
      giveOrder(host, { words: ['poweroff'], done: 'goes down', goesDown: true }, options),
    );
}
