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
  const typed = terminal !== undefined;
  if (typed)
    output.write(
      `${device.product} ${device.version}, pid ${process.pid}, Node ${process.version}. .exit or Ctrl-D leaves; the app runs on.\n`,
    );
  const server = start({
    input,
    output,
    terminal: typed,
    useColors: typed,
    // What a script gets are the values alone.
    prompt: typed ? `${device.product}> ` : '',
    // A preview evaluates what has not been entered yet.
    preview: false,
    // Without it nothing ends an await that waits for ever.
    breakEvalOnSigint: true,
  });
  const addDoor = (): void => void Object.assign(server.context, door);
  addDoor();
  server.on('reset', addDoor);
  const plain = server.eval;
  const stripped: REPLEval = (code, context, file, done) =>
    plain.call(server, typedAsJavaScript(code), context, file, done);
  Object.assign(server, { eval: stripped });
  const left = once(server, 'exit');
  // Not only its `close`: one that awaits would wait with that too.
  const abandoned = new Promise<void>((resolve) => {
    gone.addEventListener('abort', () => {
      server.close();
      resolve();
    });
  });
  if (typed) await keepHistory(server, argv[0]);
  await Promise.race([left, abandoned]);
  return 0;
}

/** A history that cannot be kept is no reason to have no console. */
async function keepHistory(server: REPLServer, path: string | undefined): Promise<void> {
  if (path) await new Promise<void>((resolve) => server.setupHistory(path, () => resolve()));
}
