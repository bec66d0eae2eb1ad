import type { Socket } from 'node:net';
import { encodeFrame, FRAME, type Frame, FrameReader } from './frame.ts';
import { parseRequest, parseSize, type Request, type Terminal } from './request.ts';
import { Inlet, Outlet } from './streams.ts';

/** From the connection to the whole request. */
export const REQUEST_TIMEOUT_MS = 10_000;

/** What a verb gets: much as a program that is started. */
export interface Call {
  argv: readonly string[];
  terminal: Terminal | undefined;
  input: Inlet;
  /** Has the size of the terminal, and emits `resize`. */
  output: Outlet;
  errorOutput: Outlet;
  /** Aborted when the client is gone. */
  gone: AbortSignal;
}

/** Returns the exit status. */
export type Verb = (call: Call) => Promise<number>;

export interface Session {
  /** Ends it from this side, with a message for the client. */
  end(message: string): void;
  ended: Promise<void>;
}

/** Serves one client, from its request to its exit status. Whatever it sends, nothing is thrown here. */
export function serveSession(socket: Socket, verbs: Readonly<Record<string, Verb>>): Session {
  const reader = new FrameReader();
  const gone = new AbortController();
  const { promise: ended, resolve } = deferred();
  let call: Call | undefined;
  const impatience = setTimeout(() => finish(1, 'no request came'), REQUEST_TIMEOUT_MS);
  impatience.unref();

  socket.on('error', () => {});
  socket.on('close', () => {
    clearTimeout(impatience);
    call?.input.deliver(undefined);
    gone.abort();
    resolve();
  });
  socket.on('data', (bytes) => {
    const frames = reader.push(bytes);
    if (frames) frames.forEach(receive);
    else finish(1, 'what the client sent is not of this protocol');
  });

  function receive({ type, payload }: Frame): void {
    if (!call) {
      const request = type === FRAME.request ? parseRequest(payload) : undefined;
      if (request) begin(request);
      else finish(1, 'the client asked for what this app does not understand; use the client of its release');
    } else if (type === FRAME.input) call.input.deliver(payload.length > 0 ? payload : undefined);
    else if (type === FRAME.size) {
      const size = parseSize(payload);
      if (size) call.output.resize(size);
    }
  }

  function begin({ verb, argv, terminal }: Request): void {
    clearTimeout(impatience);
    const size = terminal ?? { columns: 80, rows: 24 };
    call = {
      argv,
      terminal,
      input: new Inlet(socket),
      output: new Outlet(socket, FRAME.output, size),
      errorOutput: new Outlet(socket, FRAME.errorOutput, size),
      gone: gone.signal,
    };
    const serve = Object.hasOwn(verbs, verb) ? verbs[verb] : undefined;
    if (!serve) {
      finish(2, `this app knows no '${verb}'`);
      return;
    }
    socket.write(encodeFrame(FRAME.ready));
    const { output, errorOutput } = call;
    serve(call)
      .catch((error: unknown) => {
        errorOutput.write(`'${verb}' failed: ${String(error)}\n`);
        return 1;
      })
      .then(async (status) => {
        // All that it wrote goes before its status.
        await Promise.all([output, errorOutput].map((stream) => new Promise((done) => stream.end(done))));
        finish(status);
      });
  }

  let over = false;
  function finish(status: number, message?: string): void {
    if (over) return;
    over = true;
    clearTimeout(impatience);
    if (socket.destroyed) return;
    socket.end(closing(status, message));
    // What it still sends is not read by anybody; unread, it would keep the socket open. That includes what waits in its input.
    call?.input.destroy();
    socket.resume();
  }

  return { end: (message) => finish(1, message), ended };
}

/** The last bytes of a session. hearthd says them too, where there is no app to serve one. */
export function closing(status: number, message?: string): Buffer {
  const exit = encodeFrame(FRAME.exit, Uint8Array.of(status));
  return message === undefined
    ? exit
    : Buffer.concat([encodeFrame(FRAME.errorOutput, Buffer.from(`${message}\n`)), exit]);
}

/** Node 20 has no Promise.withResolvers. */
function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
