import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { deviceVerb, giveOrder, mayAsk } from './on-device.ts';
import { UsageError } from './usage.ts';
import type { CommonOptions } from './verb.ts';

interface Options extends CommonOptions {
  yes?: boolean;
}

export function factoryResetCommand(): Command {
  return deviceVerb(
    'factory-reset',
    'Delete all data of a device, which reboots. Firmware, name and keys stay',
    ['fw factory-reset hello.local          asks first', 'fw factory-reset hello.local --yes    for scripts'],
  )
    .summary('Delete all data of a device')
    .option('-y, --yes', 'do not ask')
    .action(async (host: string, options: Options) => {
      if (!options.yes) await confirm(host, options);
      const words = ['factory-reset'];
      await giveOrder(host, { words, done: 'deletes its data and reboots', goesDown: true }, options);
    });
}

async function confirm(host: string, options: Options): Promise<void> {
  if (!mayAsk(options))
    throw new UsageError(
      'factory-reset deletes all data of the device, and nobody is here to be asked',
      'Say --yes.',
    );
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`All data on ${host} will be deleted. Type its name to go on: `);
    if (answer.trim() !== host)
      throw new UsageError('that is not its name; nothing was deleted', 'Try again.');
  } finally {
    terminal.close();
  }
}
