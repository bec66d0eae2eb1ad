import { type Command, InvalidArgumentError } from 'commander';
import type { FoundDevice } from '../host/discover/devices.ts';
import { interruptible } from './interruptible.ts';
import { table } from './table.ts';
import { type CommonOptions, printResult, verb } from './verb.ts';

interface Options extends CommonOptions {
  timeout: number;
}

/** Most answer within 200 ms; a packet that was lost on WiFi is asked for again after 1 s. */
const DEFAULT_SECONDS = 3;

export function discoverCommand(): Command {
  return verb('discover', 'Find the devices in the networks of this computer, by multicast DNS', [
    'fw discover                name, address, product, version, target and serial',
    'fw discover --timeout 10   for a network that loses packets',
    'fw discover --json         with UUIDs and all addresses',
  ])
    .summary('Find the devices in the network')
    .option('-t, --timeout <seconds>', 'how long to listen', seconds, DEFAULT_SECONDS)
    .addHelpText(
      'after',
      `
What is found is what answers: whoever is in the network can call himself a
device. ssh checks whom it talks to by the device's key.`,
    )
    .action(async (options: Options) => {
      const { discover } = await import('../host/discover/devices.ts');
      const devices = await interruptible((signal) =>
        discover({ timeoutMs: options.timeout * 1000, signal }),
      );
      printResult({ devices }, options, () => discoveredText(devices));
    });
}

export function discoveredText(devices: readonly FoundDevice[]): string {
  if (devices.length === 0)
    return `No device answered. Is it switched on, for half a minute already, and in the same
network as this computer? Multicast DNS (UDP port 5353) does not pass routers,
guest WiFi, most VPNs and containers, and a firewall on this computer may drop
it. A device shows its address on its console; every verb takes that, too.`;
  return table([
    ['NAME', 'ADDRESS', 'PRODUCT', 'VERSION', 'TARGET', 'SERIAL'],
    ...devices.map(({ name, addresses, product, version, target, serial }) => [
      ...[name, addresses[0] ?? '-', product, version, target, serial],
    ]),
  ]).join('\n');
}

function seconds(text: string): number {
  const value = Number(text);
  if (/^\d+(\.\d+)?$/.test(text) && value > 0 && value <= 3600) return value;
  throw new InvalidArgumentError('It must be a number of seconds, at most 3600.');
}
