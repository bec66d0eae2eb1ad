import type { Readable } from 'node:stream';
import { logger } from '../logger/index.ts';
import { MAX_TIMER_MS } from '../process/deadlines.ts';
import { Ring } from '../process/ring.ts';
import { PortBusyError, PortError, PortExitError } from './errors.ts';
import { type Framing, lines, packets, raw } from './framing.ts';
import { type OsExit, type OsOptions, OsProcess, STOP_TIMES, type StopTimes, within } from './os-process.ts';
import { ProgramLog } from './program-log.ts';

interface CommonOptions extends OsOptions {
  /** The largest frame or line, in bytes, of either direction; the default is 1 MiB. */
  maxFrame?: number | undefined;
  /**
   * How many bytes may wait for a program that does not read, before `send` refuses; the default is 8 MiB. Each frame counts
   * as 128 more: many small ones take memory, too.
   */
  maxUnsent?: number | undefined;
  /** The default is 500 ms for the program to end by itself, 2 s after SIGTERM, 2 s after SIGKILL. */
  stop?: Partial<StopTimes> | undefined;
}

/** Frames with their length before them, in 1, 2 or 4 bytes, big-endian. */
export interface PacketOptions extends CommonOptions {
  packet: 1 | 2 | 4;
  line?: undefined;
  raw?: undefined;
}
/** Lines of UTF-8; a number is the longest, in bytes. */
export interface LineOptions extends CommonOptions {
  line: true | number;
  packet?: undefined;
  raw?: undefined;
}
/** Bytes as they come. */
export interface RawOptions extends CommonOptions {
  raw: true;
  packet?: undefined;
  line?: undefined;
}
/** Without frames: its standard output is logged, as its standard error always is. */
export interface LogOptions extends CommonOptions {
  packet?: undefined;
  line?: undefined;
  raw?: undefined;
}

/** The options of a port whose frames are of this type: strings are lines. */
export type PortOptions<F> = [F] extends [never]
  ? LogOptions
  : [F] extends [string]
    ? LineOptions
    : PacketOptions | RawOptions;
export type AnyPortOptions = PacketOptions | LineOptions | RawOptions | LogOptions;

const MAX_FRAME = 2 ** 20;
const MAX_UNSENT = 8 * 2 ** 20;
/** So many bytes of frames may wait here for who receives them; then the program waits. */
const HIGH_WATER = 2 ** 16;
/** What each frame costs beside its bytes: one that waits to be received, and one that waits to be sent. */
const FRAME_COST = 64;
const SEND_COST = 128;
/** Somebody who left the program's group may hold its pipes after its end: so long, and for so much, they are still read. */
const DRAIN_MS = 1_000;
/** A pipe that breaks is broken a moment before its program has ended. */
const EXIT_MS = 250;
const DRAIN_BYTES = 4 * 2 ** 20;

/**
 * Starts a program and talks to it in frames. It belongs to nobody: `PortServer` is for most.
 * @throws PortError 'port-start', 'port-limits'
 */
export function openPort(options: LineOptions): Promise<Port<string>>;
export function openPort(options: PacketOptions | RawOptions): Promise<Port<Buffer>>;
export function openPort(options: LogOptions): Promise<Port<never>>;
export async function openPort(options: AnyPortOptions): Promise<Port<unknown>> {
  return new Port(options, framingOf(options), await OsProcess.start(options));
}

function framingOf(options: AnyPortOptions): Framing<unknown> | undefined {
  const maxFrame = options.maxFrame ?? MAX_FRAME;
  if (options.packet !== undefined) return packets(options.packet, maxFrame) as Framing<unknown>;
  if (options.line !== undefined)
    return lines(options.line === true ? maxFrame : options.line) as Framing<unknown>;
  return options.raw ? (raw as Framing<unknown>) : undefined;
}

interface Waiter<F> {
  resolve(frame: F | undefined): void;
  reject(error: Error): void;
}

/** A running program, and the frames from and to it. */
export class Port<F> {
  readonly pid: number;
  /** Fulfilled when the program has ended and all of its output is read: with what went wrong, if anything did. */
  readonly ended: Promise<PortError | undefined>;
  /** How the program ended, as soon as it has. */
  exit: OsExit | undefined;
  readonly #command: string;
  readonly #os: OsProcess;
  readonly #framing: Framing<F> | undefined;
  readonly #stopTimes: StopTimes;
  readonly #maxUnsent: number;
  readonly #log: ProgramLog;
  readonly #frames = new Ring<F>();
  readonly #waiting = new Ring<Waiter<F>>();
  #queuedBytes = 0;
  #unsent = 0;
  #draining = false;
  #drained = 0;
  #failure: PortError | undefined;
  #over = false;

  constructor(options: AnyPortOptions, framing: Framing<F> | undefined, os: OsProcess) {
    this.#command = options.command;
    this.#os = os;
    this.#framing = framing;
    this.#stopTimes = { ...STOP_TIMES, ...options.stop };
    this.#maxUnsent = options.maxUnsent ?? MAX_UNSENT;
    this.pid = os.pid;
    const log = logger.module('port').with({ program: options.command, pid: os.pid });
    this.#log = new ProgramLog((line) => log.info(line));
    const said = (framing ? os.logs : [os.output, ...os.logs]).map((stream) => {
      const lines = this.#log.lines();
      stream.on('data', (bytes: Buffer) => lines.push(bytes));
      return lines;
    });
    if (framing) os.output.on('data', (bytes: Buffer) => this.#read(framing, bytes));
    const allRead = Promise.all([os.output, ...os.logs].map(endOf));
    this.ended = os.exited.then(async (exit) => {
      this.exit = exit;
      this.#drain();
      await within(allRead, DRAIN_MS);
      os.close();
      for (const lines of said) lines.end();
      this.#log.end();
      return this.#end(exit);
    });
  }

  /** What the program last wrote to standard error, oldest first. */
  get lastLines(): readonly string[] {
    return this.#log.last;
  }

  /**
   * Sends a frame. Fulfilled when the program's pipe has taken it: who waits for that is as fast as the program reads.
   * @throws PortBusyError when too much waits already; PortFrameError when it cannot be a frame; PortError when the program
   *   has ended or closed its input
   */
  send(frame: F): Promise<void> {
    const { input } = this.#os;
    return new Promise((resolve, reject) => {
      if (!this.#framing) throw new PortError('port-input', `${this.#command} was started without frames`);
      if (this.#unsent > this.#maxUnsent) throw new PortBusyError(this.#command, this.#unsent);
      const bytes = this.#framing.encode(frame);
      const size = SEND_COST + bytes.length;
      this.#unsent += size;
      input.write(bytes, (failed) => {
        this.#unsent -= size;
        if (failed) void this.#inputClosed(failed).then(reject);
        else resolve();
      });
    });
  }

  /**
   * The next frame; undefined when there are no more, because the program has ended with status 0. Frames that nobody
   * receives stay here, then in the pipe, and then the program waits.
   * @throws PortError when the program ended otherwise, sent what is no frame, or the time is over
   */
  receive(timeoutMs = Infinity): Promise<F | undefined> {
    return new Promise((resolve, reject) => {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        this.#taken(frame);
        resolve(frame);
      } else if (this.#failure && this.#over) reject(this.#failure);
      else if (this.#over) resolve(undefined);
      else this.#wait({ resolve, reject }, timeoutMs);
    });
  }

  /** Frames until there are no more. */
  async *[Symbol.asyncIterator](): AsyncGenerator<F, void, undefined> {
    for (let frame = await this.receive(); frame !== undefined; frame = await this.receive()) yield frame;
  }

  /** Says that nothing more is sent: a program that waits for the end of its input, as `sort` does, now has its say. */
  endInput(): void {
    this.#os.input.end();
  }

  /** Ends the program, politely at first; what it still says can be received. @throws PortError 'port-stuck' */
  async stop(): Promise<OsExit> {
    this.#drain();
    const exit = await this.#os.stop(this.#stopTimes);
    await this.ended;
    return exit;
  }

  /** Ends the program and all that it started, now. */
  kill(): void {
    this.#os.killAll();
  }

  /** Who ends must get rid of what it has to say, though nobody takes it; within bounds. */
  #drain(): void {
    this.#draining = true;
    this.#os.output.resume();
  }

  #read(framing: Framing<F>, bytes: Buffer): void {
    if (this.#failure) return;
    if (this.#draining) this.#drained += bytes.length;
    if (this.#drained > DRAIN_BYTES) this.#os.output.destroy();
    try {
      framing.push(bytes, (frame) => this.#arrived(frame));
    } catch (error) {
      this.#failure = error as PortError;
      this.#os.killAll();
    }
    if (this.#queuedBytes >= HIGH_WATER && !this.#draining) this.#os.output.pause();
  }

  #arrived(frame: F): void {
    const waiter = this.#waiting.shift();
    if (waiter) {
      waiter.resolve(frame);
      return;
    }
    this.#frames.push(frame);
    this.#queuedBytes += cost(frame);
  }

  #taken(frame: F): void {
    this.#queuedBytes -= cost(frame);
    if (this.#queuedBytes < HIGH_WATER / 2 && this.#os.output.isPaused()) this.#os.output.resume();
  }

  #wait({ resolve, reject }: Waiter<F>, timeoutMs: number): void {
    if (timeoutMs === Infinity) {
      this.#waiting.push({ resolve, reject });
      return;
    }
    const late = () => {
      this.#waiting.take((waiting) => waiting === waiter);
      reject(new PortError('port-timeout', `${this.#command} sent nothing within ${timeoutMs} ms`));
    };
    const timer = setTimeout(late, Math.min(timeoutMs, MAX_TIMER_MS));
    const waiter: Waiter<F> = {
      resolve: (frame) => {
        clearTimeout(timer);
        resolve(frame);
      },
      reject: (error) => {
        clearTimeout(timer);
        reject(error);
      },
    };
    this.#waiting.push(waiter);
  }

  /** The program and its output are over: what is left of a frame, and what everybody is told who waits. */
  #end(exit: OsExit): PortError | undefined {
    this.#failure ??=
      exit.status === 0 ? this.#rest() : new PortExitError(this.#command, exit, this.lastLines);
    this.#over = true;
    for (let waiter = this.#waiting.shift(); waiter; waiter = this.#waiting.shift()) {
      if (this.#failure) waiter.reject(this.#failure);
      else waiter.resolve(undefined);
    }
    return this.#failure;
  }

  #rest(): PortError | undefined {
    try {
      for (const frame of this.#framing?.end() ?? []) this.#arrived(frame);
      return undefined;
    } catch (error) {
      return error as PortError;
    }
  }

  /** Why a program does not read any more is known better when it has ended, which is soon, mostly. */
  async #inputClosed(cause: Error): Promise<PortError> {
    const failure = await within(this.ended, EXIT_MS);
    return failure ?? new PortError('port-input', `${this.#command} reads no more input`, { cause });
  }
}

function cost(frame: unknown): number {
  return FRAME_COST + (frame as Buffer | string).length;
}

function endOf(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    stream.on('close', resolve);
    stream.on('end', resolve);
  });
}
