import { StartError, UnknownMessageError } from '../process/errors.ts';
import type { Message } from '../process/message.ts';
import { AlreadyStartedError, register, unregister } from '../process/names.ts';
import { Process } from '../process/process.ts';
import { type ExitReason, thrownReason } from '../process/reason.ts';
import { report } from '../process/reports.ts';
import { link, unlink } from '../process/signals.ts';
import { ServerRef } from './ref.ts';
import { handlerOf, type Server } from './server.ts';

export type ServerClass<T extends Server = Server> = new () => T;

export interface ProcessOptions {
  /** A name that nobody else has while the process lives. */
  name?: string | undefined;
  /** How many messages may wait before senders get an `OverloadError`; the default is any number. */
  mailboxLimit?: number | undefined;
  /** How long `init` may take, in milliseconds; the default is any time. */
  startTimeoutMs?: number | undefined;
}

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
  #silence: NodeJS.Timeout | undefined;
  #silenceMs = 0;

  /** @throws StartError when the class' constructor throws */
  constructor(kind: ServerClass, parent: Process | undefined, options: ProcessOptions) {
    super(parent);
    this.kind = kind;
    this.#options = options;
    this.mailboxLimit = options.mailboxLimit ?? 0;
    this.ref = new ServerRef(this);
    const before = constructing;
    constructing = this;
    try {
      this.server = new kind();
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
      if (linked && this.parent) link(this, this.parent);
      result = this.server.init(...(args as never[]));
    } catch (thrown) {
      throw this.#refused(thrown);
    }
    if (result instanceof Promise) return this.#finish(result);
    this.#up();
    return undefined;
  }

  /** Calls `timeout()` of the server whenever no message has come for so long; 0 ends that. */
  setTimeout(ms: number): void {
    this.#silenceMs = ms;
    clearTimeout(this.#silence);
    this.#silence = ms > 0 ? setTimeout(() => this.continueWith(() => this.server.timeout()), ms) : undefined;
  }

  protected handle(message: Message): unknown {
    if (this.#silenceMs > 0) this.#silence?.refresh();
    if (message.kind === 'info') return this.server.info(message.args[0]);
    const handler = handlerOf(this.server, message.name);
    if (handler) return handler.apply(this.server, message.args as never[]);
    if (message.call) throw new UnknownMessageError(this.toString(), message.name);
    return undefined;
  }

  protected override terminate(reason: ExitReason): unknown {
    return this.server.terminate(reason);
  }

  protected override dispose(): void {
    clearTimeout(this.#silence);
    unregister(this);
  }

  async #finish(init: Promise<unknown>): Promise<void> {
    const { startTimeoutMs } = this.#options;
    const { promise: over, reject } = Promise.withResolvers<never>();
    const timer = startTimeoutMs
      ? setTimeout(() => reject(new Error(`init took longer than ${startTimeoutMs} ms`)), startTimeoutMs)
      : undefined;
    this.signal.addEventListener('abort', () => reject(this.reason), { once: true });
    try {
      await Promise.race([init, over]);
    } catch (thrown) {
      throw this.#refused(thrown);
    } finally {
      clearTimeout(timer);
    }
    this.#up();
  }

  #up(): void {
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
