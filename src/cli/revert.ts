import type { Command } from 'commander';
import { deviceVerb, giveOrder } from './on-device.ts';
import type { CommonOptions } from './verb.ts';

export function revertCommand(): Command {
  return deviceVerb(
    'revert',
    'Give the firmware that is on trial up: the device reboots into the one before it',
    ['fw revert hello.local'],
  )
    .summary('Give the firmware that is on trial up')
    .action((host: string, options: CommonOptions) =>
      giveOrder(
        host,
        { words: ['revert'], done: 'reboots into the firmware before this one', goesDown: true },
        options,
      ),
    );
}
