import type { Command } from 'commander';
import { deviceVerb, linkTo, mayAsk } from './on-device.ts';
import { UsageError } from './usage.ts';
import { type CommonOptions, printResult } from './verb.ts';

interface Options extends CommonOptions {
  reset?: boolean;
}

export function hostnameCommand(): Command {
  return deviceVerb('hostname', "Show a device's name in its network, or give it one of its own", [
    'fw hostname hello.local            what it is called',
    'fw hostname hello.local kitchen    kitchen.local from now on, whatever firmware it has',
    'fw hostname kitchen.local --reset  as its firmware says',
  ])
    .summary("Show or change a device's name")
    .argument('[name]', '1 to 31 lower-case letters, digits and dashes')
    .option('--reset', "give it its firmware's name again")
    .action(async (host: string, name: string | undefined, options: Options) => {
      if (name !== undefined && options.reset)
        throw new UsageError('a name and --reset exclude each other', 'Say one of them.');
      const [link, { ask }] = await Promise.all([linkTo(host), import('../links/device.ts')]);
      const words = options.reset ? ['--reset'] : name === undefined ? [] : [name];
      const told = await ask(link, ['hostname', ...words, '--json'], { mayAsk: mayAsk(options) });
      const result = JSON.parse(told) as { hostname: string; serial: string; from: 'firmware' | 'device' };
      printResult(result, options, () => {
        const whose = result.from === 'firmware' ? "its firmware's name" : 'a name of its own';
        return `${result.hostname}  (${whose}; serial ${result.serial})`;
      });
    });
}
