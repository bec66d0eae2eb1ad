import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { MAX_TIMER_MS } from '../process/deadlines.ts';
import {
  isLimited,
  killCgroup,
  makeCgroup,
  type PortLimits,
  ranOutOfMemory,
  removeCgroup,
} from './cgroup.ts';
import { PortError } from './errors.ts';
import { guardInput, protect, release } from './guard.ts';
import { GUARD_FD, type LaunchOptions, launch } from './launch.ts';

/** How an OS process ended: one of the two is known. */
export interface OsExit {
  status: number | undefined;
  signal: NodeJS.Signals | undefined;
  /** The kernel killed it, or some of it, for want of memory; known of what has a cgroup. */
  outOfMemory: boolean;
}

/** How long each step of a stop may take, in milliseconds. */
export interface StopTimes {
  /** From the end of its input to SIGTERM. */
  closeMs: number;
  /** From SIGTERM to SIGKILL. */
  termMs: number;
  /** From SIGKILL to the end; longer takes only what hangs in the kernel. */
  killMs: number;
}

/** Less than a supervisor gives its children. */
export const STOP_TIMES: Readonly<StopTimes> = { closeMs: 500, termMs: 2_000, killMs: 2_000 };

export interface OsOptions extends LaunchOptions {
  /**
   * Where frames go: 'stdio', or 'fd3': the program reads descriptor 3 and writes 4, and its standard output is logged as its
   * standard error is (`nouse_stdio` of Erlang).
   */
  io?: 'stdio' | 'fd3' | undefined;
  limits?: PortLimits | undefined;
}

/** A program in a process group, and a cgroup where there are any, of its own. When its first process ends, all of it ends. */
export class OsProcess {
  readonly pid: number;
  readonly input: Writable;
  readonly output: Readable;
  /** What it says beside its output. */
  readonly logs: readonly Readable[];
  readonly exited: Promise<OsExit>;
  readonly #child: ChildProcess;
  readonly #cgroup: string | undefined;
  #running = true;

  /** @throws PortError 'port-start', 'port-limits' */
  static async start(options: OsOptions): Promise<OsProcess> {
    const { file, args, cwd, env } = launch(options);
    needDescriptors(options.command);
    const cgroup = makeCgroup(options.limits);
    const frames = options.io === 'fd3';
    try {
      const child = spawn(file, args(cgroup, isLimited(options.limits)), {
        cwd,
        env,
        detached: true,
        stdio: stdioOf(frames),
      });
      await once(child, 'spawn');
      return new OsProcess(child, child.pid as number, cgroup, frames);
    } catch (cause) {
      if (cgroup) removeCgroup(cgroup);
      throw new PortError('port-start', `${options.command} cannot be started: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  private constructor(child: ChildProcess, pid: number, cgroup: string | undefined, frames: boolean) {
    this.#child = child;
    this.#cgroup = cgroup;
    this.pid = pid;
    // It has told the guard itself, or will; this is for a guard that must be replaced.
    protect(pid);
    // To the types each may be null and of either direction: they do not know what `stdioOf` asked for.
    const stdio = child.stdio as unknown as [Writable, Readable, Readable, Writable, Readable];
    this.input = frames ? stdio[3] : stdio[0];
    this.output = frames ? stdio[4] : stdio[1];
    this.logs = frames ? [stdio[1], stdio[2]] : [stdio[2]];
    // A pipe that breaks is the program's end, which 'exit' tells; writes have callbacks.
    for (const stream of [this.input, this.output, ...this.logs]) stream.on('error', () => {});
    this.exited = new Promise((resolve) => {
      // Whoever is left of its group has lost what started it. At once: the number is still taken while one of them lives.
      child.on('exit', (status, signal) => {
        this.killAll();
        this.#running = false;
        release(pid);
        const outOfMemory = cgroup !== undefined && ranOutOfMemory(cgroup);
        if (cgroup) removeCgroup(cgroup);
        resolve({ status: status ?? undefined, signal: signal ?? undefined, outOfMemory });
      });
    });
  }

  /** To the whole process group. */
  signal(signal: NodeJS.Signals): void {
    if (!this.#running) return;
    try {
      process.kill(-this.pid, signal);
    } catch (error) {
      // macOS has EPERM for a group of zombies.
      if (!['ESRCH', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }

  /** Ends everything now. */
  killAll(): void {
    if (!this.#running) return;
    this.signal('SIGKILL');
    if (this.#cgroup) killCgroup(this.#cgroup);
  }

  /**
   * Closes its input, then SIGTERM, then SIGKILL to all of it: each when the one before has not ended it in time.
   * @throws PortError 'port-stuck' when even that does not
   */
  async stop(times: StopTimes): Promise<OsExit> {
    this.input.end();
    const early = (await within(this.exited, times.closeMs)) ?? (await this.#terminate(times));
    if (early) return early;
    this.#child.unref();
    throw new PortError('port-stuck', `process ${this.pid} does not end, not even of SIGKILL`);
  }

  /** Lets go of the pipes, whoever else holds them. */
  close(): void {
    for (const stream of [this.input, this.output, ...this.logs]) stream.destroy();
  }

  async #terminate({ termMs, killMs }: StopTimes): Promise<OsExit | undefined> {
    this.signal('SIGTERM');
    const exit = await within(this.exited, termMs);
    if (exit) return exit;
    this.killAll();
    return await within(this.exited, killMs);
  }
}

/** For the pipes, both ends of them, and those of a guard that must be started first. */
const DESCRIPTORS = 24;

/** Where there are too few for a start none is begun: Node loses, for ever, what one that fails half-way has opened. */
function needDescriptors(command: string): void {
  const probes: number[] = [];
  try {
    for (let count = 0; count < DESCRIPTORS; count++) probes.push(openSync('/dev/null', 'r'));
  } catch (cause) {
    throw new PortError('port-start', `${command} cannot be started: ${(cause as Error).message}`, { cause });
  } finally {
    for (const probe of probes) closeSync(probe);
  }
}

function stdioOf(frames: boolean): StdioOptions {
  const unused = new Array<'ignore'>(GUARD_FD - 5).fill('ignore');
  const used: 'pipe' | 'ignore' = frames ? 'pipe' : 'ignore';
  return [frames ? 'ignore' : 'pipe', 'pipe', 'pipe', used, used, ...unused, guardInput()];
}

/** What the promise gives; undefined when the time is over first. */
export async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  if (ms === Infinity) return await promise;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.min(ms, MAX_TIMER_MS));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
