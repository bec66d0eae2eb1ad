import { FwError } from '../../errors.ts';
import { shellWord } from '../../shell-words.ts';
import type { VerbContext } from './verb.ts';

export function badUsage(message: string, expected: string): FwError {
  return new FwError('bad-usage', message, { expected, remedy: 'See what there is: ssh HOST help.' });
}

/** @throws FwError `bad-usage` */
export function noArguments({ args }: Pick<VerbContext, 'args'>, name: string): void {
  if (args.length > 0) throw badUsage(`${name} takes no ${args.map(shellWord).join(' ')}`, name);
}
