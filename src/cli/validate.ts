import type { Command } from 'commander';
import { deviceVerb, giveOrder } from './on-device.ts';
import type { CommonOptions } from './verb.ts';

export function validateCommand(): Command {
  return deviceVerb('validate', 'Make the firmware that is on trial permanent, at once', [
    'fw validate hello.local     the app is as it should be; do not wait for the rest of the trial',
  ])
    .summary('Make the firmware that is on trial permanent')
    .action((host: string, options: CommonOptions) =>
      giveOrder(host, { words: ['validate'], done: 'the firmware that runs is permanent now' }, options),
    );
}
