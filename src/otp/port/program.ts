import type { ServerRef } from '../server/ref.ts';
import type { ProcessOptions } from '../server/server-process.ts';
import { type ChildOptions, type ChildSpec, child } from '../supervisor/child-spec.ts';
import { STOP_TIMES } from './os-process.ts';
import type {
  AnyPortOptions,
  LineOptions,
  LogOptions,
  PacketOptions,
  PortOptions,
  RawOptions,
} from './port.ts';
import { PortServer } from './port-server.ts';

/** Beside what a program is: who gets its frames, and what its child spec says. */
interface ProgramExtras<F> extends ChildOptions, ProcessOptions {
  /** Gets every frame, one after the other. Without it frames are answers to `request`. */
  onOutput?: ((frame: F) => unknown) | undefined;
}

/** A program that needs no class of its own. `port(…)` makes children of it. */
export class Program<F extends Buffer | string = Buffer> extends PortServer<F> {
  override async init(options: PortOptions<F> & ProgramExtras<F>): Promise<void> {
    const { onOutput } = options;
    if (onOutput) this.output = onOutput;
    await this.open(options);
  }

  /** Answered when the program's pipe has taken the frame; others may send meanwhile, and order is kept. */
  send(frame: F) {
    return this.later(this.port.send(frame));
  }

  /**
   * Sends a frame and waits for the next one, the answer. Requests come one after the other. One that is not answered in
   * time ends the program: what it says later would be taken for the answer to another.
   */
  async request(frame: F, timeoutMs = 4_000): Promise<F | undefined> {
    await this.port.send(frame);
    return await this.port.receive(timeoutMs);
  }

  /** The id of its first process. */
  pid(): number {
    return this.port.pid;
  }
}

/**
 * A program as a child of a supervisor: `port({ command: 'udhcpc', args: ['-f'] })`. Status 0 is a normal end, every other
 * one a crash: with `restart: 'transient'` only the latter starts it anew.
 */
export function port(options: LineOptions & ProgramExtras<string>): ChildSpec<ServerRef<Program<string>>>;
export function port(
  options: (PacketOptions | RawOptions) & ProgramExtras<Buffer>,
): ChildSpec<ServerRef<Program<Buffer>>>;
export function port(options: LogOptions & ProgramExtras<never>): ChildSpec<ServerRef<Program<never>>>;
export function port(options: AnyPortOptions & ProgramExtras<never>): ChildSpec<ServerRef<Program<never>>> {
  const { id, name, via, restart, shutdown, significant } = options;
  const { mailboxLimit, mailboxWatermark, startTimeoutMs } = options;
  const { closeMs, termMs, killMs } = { ...STOP_TIMES, ...options.stop };
  const stopMs = closeMs + termMs + killMs + 1_000;
  return child(Program<never>, {
    ...{ name, via, restart, significant, mailboxLimit, mailboxWatermark, startTimeoutMs },
    id: id ?? name ?? options.command,
    shutdown: shutdown ?? (stopMs === Infinity ? 'infinity' : stopMs),
    // The overloads hold the caller to options and frames that fit; of them this is `never`, as `Program` is here.
    args: [options as LogOptions & ProgramExtras<never>],
  });
}
