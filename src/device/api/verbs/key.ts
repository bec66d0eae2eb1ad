import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { OperatorKey } from '../../ssh/operator-keys.ts';
import { badUsage } from '../usage.ts';
import type { Answer, DeviceVerb, VerbContext } from '../verb.ts';

const USAGE = 'list | add [LINE] | remove FINGERPRINT';
/** A public key and what people put behind it; more is no key. */
const MAX_INPUT = 64 * 1024;

export const key: DeviceVerb = {
  name: 'key',
  usage: USAGE,
  help: 'who may log in to this device, besides those whom its firmware names; add without LINE reads it from standard input',
  async run(context): Promise<Answer> {
    const [what, ...rest] = context.args;
    const { keys } = context.device;
    if (what === 'list' && rest.length === 0) {
      const all = await keys.list();
      return { value: { keys: all }, text: all.map(row).join('\n') };
    }
    if (what === 'add') {
      // Quoted or not: the words of a line are separated by one space.
      const line = rest.length > 0 ? rest.join(' ') : await readText(context.streams.input);
      const added = await keys.add(line);
      return { value: { added }, text: added ? 'it may log in from now on' : 'it may log in already' };
    }
    if (what === 'remove' && rest.length > 0) {
      const removed = await keys.remove(rest.join(' '));
      return { value: { removed }, text: removed.map((each) => `removed: ${row(each)}`).join('\n') };
    }
    throw badUsage('key takes list, add or remove', `key ${USAGE}`);
  },
};

function row({ fingerprint, line, from }: OperatorKey): string {
  const [type = '', , ...comment] = line.split(/[ \t]+/);
  return [fingerprint, `(${from})`, type, ...comment].join(' ');
}

async function readText(input: VerbContext['streams']['input']): Promise<string> {
  return text(Readable.from(limited(input)));
}

async function* limited(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const bytes of input) {
    size += bytes.length;
    if (size > MAX_INPUT) throw badUsage('that is far more than a public key', 'key add < id_ed25519.pub');
    yield bytes;
  }
}
