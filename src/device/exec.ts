import { type ChildProcess, spawn } from 'node:child_process';

export interface Result {
  /** The exit status, or undefined after a signal or when the program could not be started. */
  code: number | undefined;
  signal: NodeJS.Signals | undefined;
  stdout: string;
  stderr: string;
  /** Why it did not even start, e.g. `ENOENT`. */
  failure: string | undefined;
  timedOut: boolean;
}

/** Runs a program to its end and never rejects: every outcome is a value that the caller must look at. */
export type Exec = (program: string, args: readonly string[], options?: ExecOptions) => Promise<Result>;

export interface ExecOptions {
  timeoutMs?: number;
  /** Besides PATH and LC_ALL. */
  env?: Record<string, string>;
}

/** Characters kept of each stream, the newest: e2fsck -y on a bad disk can print without end. */
const MAX_OUTPUT = 1024 * 1024;

/** @param path the PATH to look programs up in, and the only one that they see */
export function systemExec(path = '/usr/sbin:/usr/bin:/sbin:/bin'): Exec {
  return (program, args, options = {}) => {
    const { promise, resolve } = Promise.withResolvers<Result>();
    const streams = { stdout: '', stderr: '' };
    let timedOut = false;
    let timer: NodeJS.Timeout | undefined;
    const child: ChildProcess = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: path, LC_ALL: 'C', ...options.env },
    });
    for (const name of ['stdout', 'stderr'] as const) {
      child[name]?.setEncoding('utf8').on('data', (text: string) => {
        streams[name] = (streams[name] + text).slice(-MAX_OUTPUT);
      });
    }
    const end = (result: Partial<Result>): void => {
      clearTimeout(timer);
      resolve({ code: undefined, signal: undefined, failure: undefined, timedOut, ...streams, ...result });
    };
    child.on('error', (error) => end({ failure: (error as NodeJS.ErrnoException).code ?? error.message }));
    child.on('close', (code, signal) => end({ code: code ?? undefined, signal: signal ?? undefined }));
    if (options.timeoutMs !== undefined) {
      timer = setTimeout(() => {
        timedOut = true;
        child.kill('SIGKILL');
      }, options.timeoutMs);
    }
    return promise;
  };
}

/** One line that says how a program ended: for the console and for errors. */
export function describe(program: string, result: Result): string {
  const end = result.failure
    ? `cannot be started (${result.failure})`
    : result.timedOut
      ? 'took too long'
      : result.signal
        ? `died of ${result.signal}`
        : `exited with ${result.code}`;
  const words = (result.stderr.trim() || result.stdout.trim()).split('\n').at(-1) ?? '';
  return `${program} ${end}${words ? `: ${words}` : ''}`;
}
