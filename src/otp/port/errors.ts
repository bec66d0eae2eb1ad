import { ReplyError } from '../process/errors.ts';
import type { OsExit } from './os-process.ts';

/** What went wrong with a program: the reason that a port's server ends with, and what `send` and `receive` reject with. */
export class PortError extends Error {
  readonly code:
    | 'port-start'
    | 'port-exit'
    | 'port-frame'
    | 'port-input'
    | 'port-timeout'
    | 'port-stuck'
    | 'port-limits';
  /** What the system said, where it did: 'ENOENT', 'EACCES', 'EMFILE', 'EAGAIN' … */
  readonly errno: string | undefined;

  constructor(code: PortError['code'], message: string, options?: ErrorOptions & { errno?: string }) {
    super(message, options);
    this.name = 'PortError';
    this.code = code;
    const { code: errno } = (options?.cause ?? {}) as NodeJS.ErrnoException;
    this.errno = options?.errno ?? errno;
  }
}

/** The program does not read what it is sent, and too much waits for it. Nothing was sent: await `send`, or drop. */
export class PortBusyError extends ReplyError {
  readonly code = 'port-busy';
  constructor(command: string, waiting: number) {
    super(`${command} does not read its input: ${waiting} bytes wait for it`);
  }
}

/** It cannot be sent as a frame: too large for this port, or a line with a line break in it. Nothing was sent. */
export class PortFrameError extends ReplyError {
  readonly code = 'port-frame';
}

/** The program has ended, and not with status 0. */
export class PortExitError extends PortError {
  /** Undefined when a signal ended it. */
  readonly status: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** The kernel killed it, or some of it, for want of memory; known of what has a cgroup (v2). */
  readonly outOfMemory: boolean;
  /** What it last wrote to standard error, oldest first. */
  readonly lastLines: readonly string[];

  constructor(command: string, { status, signal, outOfMemory }: OsExit, lastLines: readonly string[]) {
    const how = signal === undefined ? `with status ${status}` : `by ${signal}`;
    const said = lastLines.length === 0 ? '' : `; it last said:\n  ${lastLines.join('\n  ')}`;
    super('port-exit', `${command} ended ${how}${outOfMemory ? ', out of memory' : ''}${said}`);
    this.name = 'PortExitError';
    this.status = status;
    this.signal = signal;
    this.outOfMemory = outOfMemory;
    this.lastLines = lastLines;
  }
}
