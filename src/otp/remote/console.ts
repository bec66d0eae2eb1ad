import { once } from 'node:events';
import type { REPLEval, REPLServer } from 'node:repl';
import { device } from '../device.ts';
import { door } from './door.ts';
import type { Call } from './session.ts';
import { typedAsJavaScript } from './types.ts';

/**
 * Node's own REPL inside this process, in a context of its own: what is declared in one session is not in the app's globals,
 * nor in another session. The argument is the file of the history; none, without.
 */
export async function remoteConsole({ argv, terminal, input, output, gone }: Call): Promise<number> {
  // Few apps ever need it, and it needs half a megabyte.
  const { start } = await import('node:repl');
  output.write(
    `${device.product} ${device.version}, pid ${process.pid}, Node ${process.version}. .exit or Ctrl-D leaves; the app runs on.\n`,
  );
  const server = start({
    input,
    output,
    terminal: terminal !== undefined,
    useColors: terminal !== undefined,
    prompt: `${device.product}> `,
    // A preview evaluates what has not been entered yet.
    preview: false,
    // Without it nothing ends an await that waits for ever.
    breakEvalOnSigint: true,
  });
  const addDoor = (): void => void Object.assign(server.context, door);
  addDoor();
  server.on('reset', addDoor);
  const plain = server.eval;
  const typed: REPLEval = (code, context, file, done) =>
    plain.call(server, typedAsJavaScript(code), context, file, done);
  Object.assign(server, { eval: typed });
  const left = once(server, 'exit');
  gone.addEventListener('abort', () => server.close());
  await keepHistory(server, argv[0]);
  await left;
  return 0;
}

/** A history that cannot be kept is no reason to have no console. */
async function keepHistory(server: REPLServer, path: string | undefined): Promise<void> {
  if (path) await new Promise<void>((resolve) => server.setupHistory(path, () => resolve()));
}
