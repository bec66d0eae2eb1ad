import { compileFunction, constants, runInNewContext } from 'node:vm';
import { withoutTypes } from './types.ts';

/** How long an expression may compute before its first await: a beat later hearthd would end the app for it. */
export const COMPUTE_TIMEOUT_MS = 2_000;

/**
 * The value of an expression, or of statements with a `return`, in this process: awaited, with names of its own.
 * TypeScript's types are stripped. It may `await` and `import()`.
 * @throws what it throws; an Error when it computes for longer than `timeoutMs`
 */
export async function evaluate(
  text: string,
  names: Record<string, unknown>,
  timeoutMs = COMPUTE_TIMEOUT_MS,
): Promise<unknown> {
  const begin = compile(text, Object.keys(names));
  let result: unknown;
  const work = (): void => {
    result = begin(...Object.values(names));
  };
  try {
    // Only a script can be given a time; one of another context, as that needs no name in ours.
    runInNewContext('work()', { work }, { timeout: timeoutMs });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
    throw new Error(`it computed for ${timeoutMs} ms without an await, and was ended: the app stood still`);
  }
  return result;
}

type Begin = (...values: unknown[]) => unknown;

/** On a line of its own: a comment at the end of the text must not hide the bracket. */
const EXPRESSION = (text: string): string => `return (async () => (\n${text}\n))()`;
const STATEMENTS = (text: string): string => `return (async () => {\n${text}\n})()`;

function compile(text: string, names: string[]): Begin {
  const attempts = [
    () => build(EXPRESSION(text), names),
    () => build(STATEMENTS(text), names),
    () => build(withoutTypes(EXPRESSION(text)), names),
    () => build(withoutTypes(STATEMENTS(text)), names),
  ];
  const errors: unknown[] = [];
  for (const attempt of attempts) {
    try {
      return attempt();
    } catch (error) {
      errors.push(error);
    }
  }
  // Of what it was not: an expression, a TypeScript program. As statements it is told best.
  throw errors[1];
}

function build(code: string, names: string[]): Begin {
  return compileFunction(code, names, {
    filename: 'rpc',
    lineOffset: -1,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  }) as Begin;
}
