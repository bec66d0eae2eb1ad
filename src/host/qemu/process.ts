import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { FwError } from '../../errors.ts';
import { Qmp } from './qmp.ts';

/** File descriptors of the QEMU process: its control protocol and the serial ports. */
export const QMP_FD = 3;
export const SERIAL_FDS = [4, 5] as const;

/** From starting QEMU to its greeting; opening a disk on a slow network share counts. */
const START_TIMEOUT_MS = 60_000;
/** What QEMU gets to write its caches back after `quit`. */
const QUIT_TIMEOUT_MS = 10_000;
const MAX_DIAGNOSTICS = 64 * 1024;

export interface QemuExit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What QEMU itself printed. */
  diagnostics: string;
}

/** A QEMU process whose control protocol answers and whose processors have not run yet. */
export interface QemuProcess {
  readonly pid: number;
  readonly qmp: Qmp;
  readonly serials: readonly [Socket, Socket];
  /** Resolves when the process is gone and its streams are read to their end. */
  readonly exited: Promise<QemuExit>;
  /** Ends it in order; by force when that takes too long. */
  quit(): Promise<QemuExit>;
  /** Ends it at once, as a power cut would. */
  kill(): Promise<QemuExit>;
}

/**
 * Starts QEMU, stopped before its first instruction (-S). Control protocol and serial ports are inherited sockets,
 * not socket files: no path is too long, nothing is left behind, nobody else can connect. It runs in a session of
 * its own, so that Ctrl-C at the terminal does not reach it, and dies with this process even when that is killed.
 * @throws FwError `port-in-use`, `disk-in-use` or `qemu-failed`, with what QEMU printed
 */
export async function startQemu(file: string, args: readonly string[]): Promise<QemuProcess> {
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const exited = exitOf(child);
  const { pid } = child;
  if (pid === undefined) throw startError(file, await exited);
  const guard = guardProcessGroup(pid);
  const kill = (): Promise<QemuExit> => {
    killGroup(pid);
    return exited;
  };
  const done = exited.finally(() => guard.release());
  try {
    const serials = [socketAt(child, SERIAL_FDS[0]), socketAt(child, SERIAL_FDS[1])] as const;
    const qmp = await greeted(Qmp.connect(socketAt(child, QMP_FD)), file);
    const quit = async (): Promise<QemuExit> => {
      const timer = setTimeout(() => killGroup(pid), QUIT_TIMEOUT_MS);
      // It may be gone already, or go before it answers: the exit is what counts.
      await qmp.execute('quit').catch(() => undefined);
      return done.finally(() => clearTimeout(timer));
    };
    return { pid, qmp, serials, exited: done, quit, kill };
  } catch (error) {
    const exit = await kill();
    await done;
    throw error instanceof FwError && error.code === 'qmp-closed' ? startError(file, exit) : error;
  }
}

function socketAt(child: ChildProcess, fd: number): Socket {
  const stream: unknown = child.stdio[fd];
  if (!(stream instanceof Socket)) throw new Error(`file descriptor ${fd} of the child is no socket`);
  return stream;
}

function exitOf(child: ChildProcess): Promise<QemuExit> {
  let diagnostics = '';
  const collect = (text: string): void => {
    diagnostics = (diagnostics + text).slice(-MAX_DIAGNOSTICS);
  };
  child.stdout?.setEncoding('utf8').on('data', collect);
  child.stderr?.setEncoding('utf8').on('data', collect);
  return new Promise((resolve) => {
    child.on('error', (error) => {
      collect(error.message);
      // Without a process there will be no 'close'.
      if (child.pid === undefined) resolve({ code: null, signal: null, diagnostics });
    });
    child.on('close', (code, signal) => resolve({ code, signal, diagnostics }));
  });
}

async function greeted(qmp: Promise<Qmp>, file: string): Promise<Qmp> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(
      new FwError('qemu-failed', `QEMU did not answer within ${START_TIMEOUT_MS / 1000} s`, {
        where: file,
        remedy: 'Look whether this computer is overloaded, or the disk image lies on a share that hangs.',
      }),
    );
  }, START_TIMEOUT_MS);
  return Promise.race([qmp, promise]).finally(() => clearTimeout(timer));
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // ESRCH: gone already, which is what was wanted.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/**
 * A shell that holds one end of a pipe and kills the process group when the other end, ours, closes without a word:
 * that also happens when this process is killed and can clean nothing up.
 */
function guardProcessGroup(pid: number): { release(): void } {
  // In this form dash, busybox and bash all take a process group.
  const script = 'read -r word || kill -s KILL -- "-$1"';
  const guard = spawn('/bin/sh', ['-c', script, 'hearth-guard', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const { stdin } = guard;
  // The guard can be gone before the word arrives, when somebody killed it too.
  stdin.on('error', () => stdin.destroy());
  return { release: () => void stdin.end('over\n') };
}

/** What QEMU says when it does not start, and what the user can do about it. */
export function startError(file: string, exit: QemuExit): FwError {
  const text = exit.diagnostics.trim();
  const forward = /Could not set up host forwarding rule '([^']*)'/.exec(text);
  if (forward?.[1]) {
    return new FwError('port-in-use', `a port to forward is in use: ${forward[1]}`, {
      where: forward[1],
      expected: 'a free TCP port on 127.0.0.1',
      remedy: 'Choose another host port, or stop what listens there.',
    });
  }
  if (/Failed to get .*lock/.test(text)) {
    return new FwError('disk-in-use', 'the disk image is in use by another emulated machine', {
      where: /using the image \[(.*)\]/.exec(text)?.[1] ?? file,
      expected: 'one machine at a time',
      remedy: 'Stop the other machine, or use another disk image.',
    });
  }
  const how = exit.signal ? `was killed by ${exit.signal}` : `ended with status ${exit.code}`;
  return new FwError('qemu-failed', `QEMU ${how} before the machine started: ${text || 'it said nothing'}`, {
    where: file,
    remedy: 'Read what QEMU said above; where QEMU itself is broken, install it again.',
  });
}
