import { Console } from 'node:console';
import { inspect, types } from 'node:util';
import { door } from './door.ts';
import { evaluate } from './evaluate.ts';
import type { Call } from './session.ts';

/** Evaluates the one argument and prints its value: a text as it is, all else as `util.inspect` shows it. */
export async function rpc({ argv, terminal, output, errorOutput }: Call): Promise<number> {
  const colors = terminal !== undefined;
  const console = new Console({ stdout: output, stderr: errorOutput, inspectOptions: { colors } });
  try {
    const value = await evaluate(argv[0] ?? '', { ...door, console });
    const text = typeof value === 'string' ? value : inspect(value, { colors, breakLength: output.columns });
    output.write(`${text}\n`);
    return 0;
  } catch (error) {
    errorOutput.write(`${stackOf(error)}\n`);
    return 1;
  }
}

/** inspect shows causes and codes as well; of what is thrown and no error, the value. */
function stackOf(error: unknown): string {
  return types.isNativeError(error) ? ownFrames(inspect(error)) : `thrown: ${inspect(error)}`;
}

/** Without the frames below the expression: they are ours, and the same each time. */
function ownFrames(text: string): string {
  return text.replace(/(?:\n +at .*)+/g, (frames) => {
    const lines = frames.split('\n').slice(1);
    const last = lines.findLastIndex((line) => /\bat (?:.*\()?rpc:\d+:\d+/.test(line));
    return lines
      .slice(0, last + 1)
      .map((line) => `\n${line}`)
      .join('');
  });
}
