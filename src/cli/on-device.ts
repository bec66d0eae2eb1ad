import type { Command } from 'commander';
import type { DeviceLink } from '../links/link.ts';
import { type CommonOptions, printResult, verb } from './verb.ts';

/** A verb about a device, which its first argument names. */
export function deviceVerb(name: string, description: string, examples: string[]): Command {
  return verb(name, description, examples).argument(
    '<host>',
    'the device: an alias of your ssh configuration, or [USER@]HOST[:PORT]',
  );
}

export async function linkTo(host: string): Promise<DeviceLink> {
  const { SshLink } = await import('../links/ssh/ssh-link.ts');
  return SshLink.to(host);
}

/** Whether somebody is there whom ssh may ask something. */
export function mayAsk({ json = false }: CommonOptions): boolean {
  return !json && process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** A device is told to do something, and that is all. */
export interface Order {
  words: readonly string[];
  /** What is true then, for people. */
  done: string;
  /** The device reboots or is switched off by it. */
  goesDown?: boolean;
}

export async function giveOrder(
  host: string,
  { words, done, goesDown = false }: Order,
  options: CommonOptions,
): Promise<void> {
  const [link, { ask, askToGoDown }] = await Promise.all([linkTo(host), import('../links/device.ts')]);
  const give = goesDown ? askToGoDown : ask;
  await give(link, [...words, '--json'], { mayAsk: mayAsk(options) });
  printResult({ host, done: words.join(' ') }, options, () => `${host}: ${done}`);
}
