import { MAX_TIMER_MS } from '../process/deadlines.ts';
import { StartError, UnknownMessageError } from '../process/errors.ts';
import type { Bounds } from '../process/mailbox.ts';
import type { Message } from '../process/message.ts';
import { AlreadyStartedError, register, unregister, type Via } from '../process/names.ts';
import { Process, type Watcher } from '../process/process.ts';
import { type ExitReason, thrownReason } from '../process/reason.ts';
import { report } from '../process/reports.ts';
import { link, unlink } from '../process/signals.ts';
import { Silence } from '../process/silence.ts';
import { isThenable } from '../process/thenable.ts';
import { checkTimerMs } from '../process/timers.ts';
import { ServerRef } from './ref.ts';
import { handlerOf, type Server } from './server.ts';
import { state } from './state.ts';

export type ServerClass<T extends Server = Server> = new () => T;

export interface ProcessOptions {
  /** A name that nobody else has while the process lives. */
  name?: string | undefined;
  /** A name in a registry: `via: rooms.key('kitchen')`. */
  via?: Via | undefined;
  /** How many messages may wait before senders get an `OverloadError`; the default is any number. */
  mailboxLimit?: number | undefined;
  /**
   * How many waiting messages make a 'long-mailbox' report, and half of it one that it is over. The default is four fifths
   * of `mailboxLimit`, or 10,000 where there is none; `Infinity` for no report.
   */
  mailboxWatermark?: number | undefined;
  /** How long `init` may take, in milliseconds; the default is any time. Only what `init` awaits can be cut short. */
  startTimeoutMs?: number | undefined;
}

const DEFAULT_BOUNDS: Bounds = { limit: Infinity, watermark: 10_000 };

let constructing: ServerProcess | undefined;

/** The process whose server object is being made. */
export function processBeingMade(): ServerProcess {
  if (constructing) return constructing;
  throw new Error('a Server is made by start() or a supervisor, not by new: start(MyServer, { args: […] })');
}

/** A process that runs a `Server`. */
export class ServerProcess extends Process {
  readonly ref: ServerRef<Server>;
  readonly kind: ServerClass;
  /** For `sys` alone. */
  readonly server: Server;
  readonly #options: ProcessOptions;

  /** @throws StartError when the class' constructor throws */
  constructor(kind: ServerClass, parent: Process | undefined, options: ProcessOptions) {
    super(parent);
    this.kind = kind;
    this.#options = options;
    this.bounds = boundsOf(options);
    this.ref = new ServerRef(this);
    const before = constructing;
    constructing = this;
    try {
      this.server = this.runAs(() => new kind()) as Server;
    } catch (thrown) {
      this.kill(thrownReason(thrown));
      throw new StartError(kind.name, thrownReason(thrown));
    } finally {
      constructing = before;
    }
  }

  get label(): string {
    return this.kind.name;
  }

  /**
   * Takes the name, links to the parent, runs `init`. Gives a promise only where `init` does: whoever starts a hundred
   * thousand must not wait for as many promises.
   * @throws StartError, AlreadyStartedError
   */
  begin(args: readonly unknown[], linked: boolean): undefined | Promise<void> {
    let result: unknown;
    try {
      if (this.#options.name !== undefined) register(this.#options.name, this);
      this.#options.via?.register(this);
      if (linked && this.parent) link(this, this.parent);
      // Its parent was killed, and what is left of a handler of it starts a child.
      if (this.reason) throw this.reason;
      // Which class this is, and so what its `init` takes, is forgotten here; `StartOptions` has held the starter to it.
      result = this.runAs(() => this.server.init(...(args as never[])));
      if (isThenable(result)) return this.#finish(result);
    } catch (thrown) {
      throw this.#refused(thrown);
    }
    this.#up();
    return undefined;
  }

  /** What `sys` sees of its server; a promise where that is elsewhere. */
  getState(): unknown {
    return this.server[state];
  }

  setState(value: unknown): unknown {
    this.server[state] = value;
    return undefined;
  }

  /** Calls `timeout()` of the server whenever it had nothing to do for so long; 0 ends that. */
  setTimeout(ms: number): void {
    checkTimerMs(ms);
    this.silence?.end();
    const over = (): void => this.continueWith(() => this.server.timeout());
    this.silence = ms > 0 && this.alive ? new Silence(ms, () => this.idle, over) : undefined;
  }

  protected handle(message: Message): unknown {
    if (message.kind === 'info') return this.server.info(message.args[0]);
    const handler = handlerOf(this.server, message.name);
    // `apply` is declared to take an array that it may write to, and only reads it.
    if (handler) return handler.apply(this.server, message.args as unknown[]);
    if (message.call) throw new UnknownMessageError(this.toString(), message.name);
    return undefined;
  }

  protected override terminate(reason: ExitReason): unknown {
    return this.server.terminate(reason);
  }

  protected override dispose(): void {
    unregister(this);
  }

  async #finish(init: PromiseLike<unknown>): Promise<void> {
    const { startTimeoutMs } = this.#options;
    let timer: NodeJS.Timeout | undefined;
    let ended: Watcher | undefined;
    const cut = new Promise<never>((_, reject) => {
      // While it starts: by an exit signal, or its own `stop()`.
      ended = { down: (_process, reason) => reject(reason) };
      this.watchedBy(ended);
      if (startTimeoutMs === undefined) return;
      const late = () => reject(new Error(`init took longer than ${startTimeoutMs} ms`));
      timer = setTimeout(late, Math.min(startTimeoutMs, MAX_TIMER_MS));
    });
    try {
      await Promise.race([init, cut]);
    } catch (thrown) {
      throw this.#refused(thrown);
    } finally {
      clearTimeout(timer);
      if (ended) this.watchers?.delete(ended);
    }
    this.#up();
  }

  #up(): void {
    if (this.status === 'dead') throw this.#refused(this.reason);
    report({ kind: 'progress', process: this });
    this.run();
  }

  #refused(thrown: unknown): Error {
    // Whoever starts it learns it by the exception; a link would say the same a second time.
    if (this.parent) unlink(this, this.parent);
    const reason = this.reason ?? thrownReason(thrown);
    this.kill(reason);
    return reason instanceof AlreadyStartedError ? reason : new StartError(this.label, reason);
  }
}

function boundsOf({ mailboxLimit: limit, mailboxWatermark: watermark }: ProcessOptions): Bounds {
  if (!limit) return watermark === undefined ? DEFAULT_BOUNDS : { limit: Infinity, watermark };
  return { limit, watermark: watermark ?? Math.ceil(limit * 0.8) };
}
