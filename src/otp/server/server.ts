import type { Address } from '../process/address.ts';
import { Later } from '../process/later.ts';
import { Monitor } from '../process/monitor.ts';
import type { ExitReason } from '../process/reason.ts';
import { link, unlink } from '../process/signals.ts';
import type { ServerRef } from './ref.ts';
import { processBeingMade, type ServerClass, type ServerProcess } from './server-process.ts';
import { type ArgsOf, begin, type StartOptions } from './start.ts';
import { state } from './state.ts';

/**
 * A process with state and messages: `GenServer` of OTP. Every public method of a subclass is a message, to be called
 * (`ref.call('add', 2)`: with an answer) or cast (`ref.cast('add', 2)`: without one). State is what the object holds: nobody
 * else has the object, and one message is handled at a time.
 *
 * ```ts
 * class Counter extends Server {
 *   #count = 0;
 *   override init(start: number) {
 *     this.#count = start;
 *   }
 *   add(by: number): number {
 *     return (this.#count += by);
 *   }
 * }
 * const counter = await start(Counter, { args: [5] });
 * await counter.call('add', 2); // 7
 * ```
 *
 * A handler that throws ends the process, for its supervisor to start it anew; `ReplyError` is the exception. Nothing
 * interrupts a handler that computes: it holds up every process of the program. What needs long goes to a worker or a port.
 */
export abstract class Server {
  readonly #process: ServerProcess = processBeingMade();

  /**
   * Its state, for `sys.getState` and `sys.replaceState`: the fields that are not `#private`, unless the class overrides
   * both accessors. What the fields hold is not copied.
   */
  get [state](): unknown {
    return { ...this };
  }

  set [state](fields: unknown) {
    Object.assign(this, fields);
  }

  /** Runs before the first message, with the `args` of the start. Until it is done, `start` waits. */
  init(..._args: never[]): unknown {
    return undefined;
  }

  /** Handles what was sent with `ref.send`, and `Exit` and `Down` messages. The default ignores it. */
  info(_message: unknown): unknown {
    return undefined;
  }

  /**
   * Cleans up, before the process ends: whatever the reason is, and whether or not it traps exits; only `kill` leaves no
   * time for it. What it returns is awaited.
   */
  terminate(_reason: ExitReason): unknown {
    return undefined;
  }

  /** Called when the process had nothing to do for as long as `setTimeout` said. */
  timeout(): unknown {
    return undefined;
  }

  /**
   * This process, as others see it. TypeScript does not know the messages of `this`: to send oneself one, say of which
   * class, `const me: ServerRef<Counter> = this.self`.
   */
  protected get self(): ServerRef<this> {
    return this.#process.ref as ServerRef<this>;
  }

  /** Aborted when the process is asked to end; hand it to what a handler awaits. */
  protected get signal(): AbortSignal {
    return this.#process.signal;
  }

  /** Whether the end of a linked process comes as an `Exit` message, instead of ending this one too. */
  protected set trapExit(trap: boolean) {
    this.#process.trapExit = trap;
  }

  /**
   * Ends the process when the handler at work is done; a call that it handles is still answered. In `init` it ends the
   * start, with a StartError. An Error as the reason is a crash, and reported as one.
   */
  protected stop(reason: ExitReason = 'normal'): void {
    this.#process.stop(reason);
  }

  /** Has something done before the next message is handled: `handle_continue` of OTP. */
  protected continueWith(work: () => unknown): void {
    this.#process.continueWith(work);
  }

  /**
   * What a handler returns to be answered when a promise settles, while other messages are handled. A rejection is the
   * answer too, and does not end the process.
   */
  protected later<T>(answer: Promise<T>): Later<T> {
    return new Later(answer);
  }

  /** From now on `timeout()` is called whenever the process had nothing to do for `ms`; 0 ends that. */
  protected setTimeout(ms: number): void {
    this.#process.setTimeout(ms);
  }

  /** Starts a process that is linked to this one. */
  protected start<T extends Server>(
    kind: ServerClass<T>,
    ...[options]: ArgsOf<T> extends [] ? [options?: StartOptions<T>] : [options: StartOptions<T>]
  ): Promise<ServerRef<T>> {
    return begin(kind, options ?? {}, this.#process, true);
  }

  /** Ties this process' end to another's: whichever ends, the other gets an exit signal. */
  protected link(other: Address): void {
    link(this.#process, other.process());
  }

  protected unlink(other: Address): void {
    const linked = other.find();
    if (linked) unlink(this.#process, linked);
  }

  /** Asks for a `Down` message when another process ends; at once, if it has ended already. */
  protected monitor(other: Address): Monitor {
    return new Monitor(this.#process, other);
  }

  /** Sends this process a message after a while, unless it is cancelled. Goes when the process goes. */
  protected sendAfter(ms: number, message: unknown): Disposable {
    return this.#process.sendAfter(ms, message);
  }
}

/** The public method of a server that a message names, if there is one: not what every Server has, nor what Object has. */
export function handlerOf(server: object, name: string): ((...args: unknown[]) => unknown) | undefined {
  if (name in Server.prototype) return undefined;
  const method = (server as Record<string, unknown>)[name];
  return typeof method === 'function' ? (method as (...args: unknown[]) => unknown) : undefined;
}
