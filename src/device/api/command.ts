import { FwError } from '../../errors.ts';
import { splitWords } from '../../shell-words.ts';
import { refusalOf } from '../../update/transfer/messages.ts';
import type { DeviceVerb, VerbContext } from './verb.ts';
import { VERBS } from './verbs.ts';

const EXIT = { ok: 0, failed: 1, usage: 2 } as const;
const USAGE_CODES: readonly string[] = ['bad-usage', 'unknown-verb', 'bad-command-line'];

/**
 * Runs one command line, and says what comes of it: a value, or an error, in words or as JSON. Total: whatever goes wrong is
 * told to whoever asked.
 * @returns the exit status
 */
export async function runCommand(
  line: string,
  context: Omit<VerbContext, 'args'>,
  verbs: readonly DeviceVerb[] = VERBS,
): Promise<number> {
  const { output, errorOutput } = context.streams;
  let json = false;
  try {
    const [name = '', ...rest] = splitWords(line);
    json = rest.includes('--json');
    const verb = verbs.find((each) => each.name === name);
    if (!verb) throw unknown(name);
    const answer = await verb.run({ ...context, args: rest.filter((word) => word !== '--json') });
    if (answer) output.write(`${json ? JSON.stringify(answer.value) : answer.text}\n`);
    return EXIT.ok;
  } catch (error) {
    const refusal = refusalOf(error);
    if (json) output.write(`${JSON.stringify({ error: refusal })}\n`);
    else errorOutput.write(inWords(refusal));
    return USAGE_CODES.includes(refusal.code) ? EXIT.usage : EXIT.failed;
  }
}

function inWords({ message, where, expected, remedy, code }: ReturnType<typeof refusalOf>): string {
  const rows = [`${message} (${code})`];
  if (where !== undefined) rows.push(`  where: ${where}`);
  if (expected !== undefined) rows.push(`  expected: ${expected}`);
  if (remedy !== undefined) rows.push(`  ${remedy}`);
  return `${rows.join('\n')}\n`;
}

function unknown(name: string): FwError {
  const what = name === '' ? 'a device is asked by a verb' : `a device knows no '${name}'`;
  return new FwError('unknown-verb', what, {
    expected: VERBS.map((verb) => verb.name).join(', '),
    remedy: 'See what each is for: ssh HOST help.',
  });
}
