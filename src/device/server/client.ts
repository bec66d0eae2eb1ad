import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { encodeFrame, encodeStream, FRAME, type Frame, FrameReader } from '../../otp/remote/frame.ts';
import { encodeRequest, encodeSize, type Terminal } from '../../otp/remote/request.ts';
import { controlPath, tooLong } from './control-path.ts';
import type { ReleaseInfo, ReleasePaths } from './release.ts';

/** An app whose event loop turns answers in milliseconds. */
const ANSWER_TIMEOUT_MS = 5_000;

/** `remote` and `rpc`: this process is the terminal, or the standard streams, of a session inside the app. Its exit status. */
export async function callApp(
  verb: string,
  args: readonly string[],
  info: ReleaseInfo,
  paths: ReleasePaths,
): Promise<number> {
  const path = controlPath(paths, info.name);
  const fail = (why: string): number => {
    process.stderr.write(`${info.name}: ${why}\n`);
    return 1;
  };
  const long = tooLong(path);
  if (long !== undefined) return fail(long);
  const interactive = verb === 'remote';
  const argv = interactive ? [historyFile(process.env)] : args;
  const request = encodeRequest({ verb, argv, terminal: terminal(interactive) });
  if (!request) return fail('the expression has a NUL in it, or more than 64 KiB');

  const socket = createConnection(path);
  const { promise, resolve } = Promise.withResolvers<number>();
  let answered = false;
  const patience = setTimeout(() => {
    const beat = info.app.beatTimeoutMs / 1000;
    resolve(
      fail(
        `the app has not answered for ${ANSWER_TIMEOUT_MS / 1000} s: its event loop is busy, or it has not called run() yet. hearthd restarts it after ${beat} s without a beat; 'bin/${info.name} restart' does so at once`,
      ),
    );
  }, ANSWER_TIMEOUT_MS);
  socket.on('error', (error) => resolve(fail(explain(error, path))));
  socket.on('close', () => resolve(fail('the app has ended, and the session with it')));

  const reader = new FrameReader();
  socket.on('data', (bytes) => {
    const frames = reader.push(bytes);
    if (!frames) resolve(fail(`what listens at ${path} does not speak this protocol`));
    else frames.forEach(receive);
  });
  function receive({ type, payload }: Frame): void {
    if (type === FRAME.output) print(process.stdout, payload);
    else if (type === FRAME.errorOutput) print(process.stderr, payload);
    else if (type === FRAME.exit) resolve(payload[0] ?? 1);
    else if (type === FRAME.ready && !answered) {
      answered = true;
      clearTimeout(patience);
      if (interactive) passOn(socket);
    }
  }
  function print(stream: Writable, bytes: Buffer): void {
    if (stream.write(bytes)) return;
    socket.pause();
    stream.once('drain', () => socket.resume());
  }
  // Whoever reads us has read enough.
  process.stdout.on('error', () => resolve(1));
  socket.write(encodeFrame(FRAME.request, request));

  const status = await promise;
  if (process.stdin.isTTY) process.stdin.setRawMode(false);
  // The caller ends the process, and a pipe may still have to take some of it.
  await Promise.all([process.stdout, process.stderr].map(flushed));
  return status;
}

function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}

/** From here on each key is the app's: Ctrl-C too. */
function passOn(socket: Socket): void {
  const { stdin, stdout } = process;
  if (terminal(true)) stdin.setRawMode(true);
  stdin.on('data', (bytes: Buffer) => {
    if (!socket.write(encodeStream(FRAME.input, bytes))) stdin.pause();
  });
  socket.on('drain', () => stdin.resume());
  stdin.on('end', () => socket.write(encodeFrame(FRAME.input)));
  stdout.on('resize', () => socket.write(encodeFrame(FRAME.size, encodeSize(stdout))));
}

function terminal(interactive: boolean): Terminal | undefined {
  const { stdin, stdout, env } = process;
  const type = env.TERM ?? '';
  if (!stdout.isTTY || (interactive && !stdin.isTTY) || type === '' || type === 'dumb') return undefined;
  return { type, columns: stdout.columns, rows: stdout.rows };
}

/** The user's own: on a server that several people share, each has a history. */
function historyFile({ HEARTH_HISTORY, HOME }: NodeJS.ProcessEnv): string {
  return HEARTH_HISTORY ?? (HOME ? join(HOME, '.hearth_history') : '');
}

function explain(error: NodeJS.ErrnoException, path: string): string {
  switch (error.code) {
    case 'EACCES':
      return `${path}: only the user that runs the release may connect`;
    case 'ENOENT':
    case 'ECONNREFUSED':
      return `nobody listens at ${path}: either it does not run, or its log says why`;
    default:
      return `the session broke: ${error.message}`;
  }
}
