import type { Command } from 'commander';
import { deviceVerb, linkTo, mayAsk } from './on-device.ts';
import { statusText } from './status-text.ts';
import { type CommonOptions, printResult } from './verb.ts';

export function statusCommand(): Command {
  return deviceVerb('status', 'Show what runs on a device: firmware, update, app, data, network', [
    'fw status hello.local',
    'fw status hello.local --json    for programs',
  ])
    .summary('Show what runs on a device')
    .action(async (host: string, options: CommonOptions) => {
      const [link, { statusOf }] = await Promise.all([linkTo(host), import('../links/device.ts')]);
      const status = await statusOf(link, { mayAsk: mayAsk(options) });
      printResult(status, options, () => statusText(status));
    });
}
