import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { OperatorKey } from '../device/ssh/operator-keys.ts';
import { FwError } from '../errors.ts';
import { deviceVerb, linkTo, mayAsk } from './on-device.ts';
import { table } from './table.ts';
import { UsageError } from './usage.ts';
import { type CommonOptions, printResult } from './verb.ts';

interface Options extends CommonOptions {
  add?: string;
  remove?: string;
}

export function operatorsCommand(): Command {
  return deviceVerb('operators', 'Show, or change, who may log in to one device by ssh', [
    'fw key operators hello.local                         the keys of its firmware, and its own',
    'fw key operators hello.local --add colleague.pub     from the next login on, also after updates',
    'fw key operators hello.local --remove SHA256:…       at least one key stays',
  ])
    .summary('Show, or change, who may log in to a device')
    .option('--add <file>', 'a public key of OpenSSH')
    .option('--remove <fingerprint>', 'the key; a comment that no other key has will do')
    .addHelpText(
      'after',
      `
Keys of the firmware are sshKeys of fw.config.ts, on every device that runs it.`,
    )
    .action(async (host: string, options: Options) => {
      const { add, remove } = options;
      if (add !== undefined && remove !== undefined)
        throw new UsageError('--add and --remove exclude each other', 'Do one after the other.');
      const [link, { ask }] = await Promise.all([linkTo(host), import('../links/device.ts')]);
      const words =
        add !== undefined ? ['add', publicLine(add)] : remove !== undefined ? ['remove', remove] : ['list'];
      const told = JSON.parse(await ask(link, ['key', ...words, '--json'], { mayAsk: mayAsk(options) }));
      printResult(told, options, () => {
        if (add !== undefined)
          return told.added ? `${host}: it may log in now` : `${host}: it may log in already`;
        return rows(remove === undefined ? told.keys : told.removed).join('\n');
      });
    });
}

function rows(keys: OperatorKey[]): string[] {
  return table(
    keys.map(({ fingerprint, line, from }) => {
      const [type = '', , ...comment] = line.split(' ');
      return [fingerprint, from, type, comment.join(' ')];
    }),
  );
}

/** @throws FwError `operator-key-unreadable`. What it holds is for the device to judge. */
function publicLine(path: string): string {
  try {
    const text = readFileSync(path, 'utf8').trim();
    // It must not even travel.
    if (!text.includes('PRIVATE KEY')) return text;
  } catch (cause) {
    throw new FwError('operator-key-unreadable', `the key cannot be read: ${(cause as Error).message}`, {
      where: path,
      remedy: 'Name the file that ends in .pub.',
      cause,
    });
  }
  throw new FwError('operator-key-unreadable', 'that is a private key: only its owner may have it', {
    where: path,
    expected: 'the public half',
    remedy: `Name the file that ends in .pub: ${path}.pub.`,
  });
}
