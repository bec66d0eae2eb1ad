import { Address } from '../process/address.ts';
import { CallError, ReplyError, StartError } from '../process/errors.ts';
import { Later } from '../process/later.ts';
import { Message } from '../process/message.ts';
import { AlreadyStartedError, register, unregister, type Via, whereis } from '../process/names.ts';
import { PendingCall } from '../process/pending-call.ts';
import { Process } from '../process/process.ts';
import { type ExitReason, thrownReason } from '../process/reason.ts';
import { report } from '../process/reports.ts';
import { Exit, link, unlink } from '../process/signals.ts';
import type { Backoff } from './backoff.ts';
import type { ChildSpec } from './child-spec.ts';
import { Intensity, type IntensityOptions } from './intensity.ts';

export interface SupervisingOptions extends IntensityOptions {
  /** A name that nobody else has while the supervisor lives. */
  name?: string | undefined;
  /** A name in a registry: `via: rooms.key('kitchen')`; `namedSupervisor(rooms.ref('kitchen'))` leads to it. */
  via?: Via | undefined;
  /** Waits before restarts. The other children are served meanwhile. */
  backoff?: Backoff | undefined;
}

/** Why a supervisor gave up: the child whose restart was one too many, and what it had died of. */
export interface GaveUp {
  child: string;
  reason: ExitReason;
}

/**
 * What static and dynamic supervisors share. All that a supervisor does is a message, and one that takes time (a child's
 * asynchronous `init` or `terminate`) holds the mailbox: nothing interleaves, as in OTP.
 */
export abstract class SupervisingProcess extends Process {
  gaveUp: GaveUp | undefined;
  protected readonly intensity: Intensity;
  protected readonly backoff: Backoff | undefined;
  readonly #name: string | undefined;
  readonly #via: Via | undefined;

  constructor(parent: Process | undefined, options: SupervisingOptions) {
    super(parent);
    this.trapExit = true;
    this.intensity = new Intensity(options);
    this.backoff = options.backoff;
    this.#name = options.name;
    this.#via = options.via;
  }

  /** Starts what it supervises, or throws; then nothing of it is left. */
  protected abstract init(): undefined | Promise<void>;
  protected abstract childEnded(child: Process, reason: ExitReason): unknown;
  /** A message to itself: something is to be tried again. */
  protected abstract retry(what: unknown): unknown;

  /** @throws StartError, AlreadyStartedError */
  begin(): undefined | Promise<void> {
    let starting: undefined | Promise<void>;
    try {
      if (this.#name !== undefined) register(this.#name, this);
      this.#via?.register(this);
      if (this.parent) link(this, this.parent);
      starting = this.init();
    } catch (thrown) {
      throw this.#refused(thrown);
    }
    if (!starting) {
      this.#up();
      return undefined;
    }
    return starting.then(
      () => this.#up(),
      (thrown: unknown) => {
        throw this.#refused(thrown);
      },
    );
  }

  protected handle(message: Message): unknown {
    const [content] = message.args;
    if (message.kind === 'call') return (content as () => unknown)();
    if (!(content instanceof Exit)) return this.retry(content);
    if (content.from !== this.parent) return this.childEnded(content.from, content.reason);
    this.exit(content.reason);
    return undefined;
  }

  protected override dispose(): void {
    unregister(this);
  }

  /** Starts a child; whatever its start throws is a StartError then, or says that the name is taken. */
  protected startProcess<R extends Address>(spec: ChildSpec<R>): R | undefined | Promise<R | undefined> {
    try {
      const started = spec.start(this);
      return started instanceof Promise
        ? started.catch((thrown) => Promise.reject(startError(spec, thrown)))
        : started;
    } catch (thrown) {
      throw startError(spec, thrown);
    }
  }

  /** Counts a restart. When it is one too many the supervisor ends, and its own supervisor decides. */
  protected mayRestart(child: string, reason: ExitReason): boolean {
    if (this.intensity.restart(performance.now())) return true;
    this.report('reached_max_restart_intensity', child, reason);
    this.gaveUp = { child, reason };
    this.exit('shutdown');
    return false;
  }

  protected report(what: string, child: string, reason: ExitReason): void {
    report({ kind: 'supervisor', process: this, what, child, reason });
  }

  #up(): void {
    report({ kind: 'progress', process: this });
    this.run();
  }

  #refused(thrown: unknown): Error {
    if (this.parent) unlink(this, this.parent);
    const reason = this.reason ?? thrownReason(thrown);
    this.kill(reason);
    return reason instanceof AlreadyStartedError ? reason : new StartError(this.name ?? this.label, reason);
  }
}

function startError(spec: ChildSpec, thrown: unknown): Error {
  if (thrown instanceof StartError || thrown instanceof AlreadyStartedError) return thrown;
  return new StartError(spec.id, thrownReason(thrown));
}

/** Leads to a supervisor, or to whichever has a name at the moment of use. */
export abstract class SupervisingRef<P extends SupervisingProcess> extends Address {
  readonly #target: P | string | Address;

  constructor(target: P | string | Address) {
    super();
    this.#target = target;
  }

  protected abstract own(process: Process | undefined): P | undefined;

  find(): P | undefined {
    const target = this.#target;
    if (typeof target === 'string') return this.own(whereis(target));
    return this.own(target instanceof Address ? target.find() : target);
  }

  toString(): string {
    return String(this.#target);
  }

  /**
   * Stops the children, then the supervisor. For its own supervisor, if it has one, it has ended by itself.
   */
  stop(reason: ExitReason = 'normal'): Promise<ExitReason> {
    const ended = this.ended();
    this.find()?.exit(reason);
    return ended;
  }

  /** Has the supervisor do something, in its turn. It waits as long as that takes, as in OTP: starts are often slow. */
  protected ask<T>(what: string, work: (process: P) => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const process = this.find();
      if (!process) {
        reject(new CallError(this.toString(), what, 'noproc'));
        return;
      }
      const call = new PendingCall(process, what, Infinity, resolve as (value: unknown) => void, reject);
      process.deliver(new Message('call', what, [() => answered(() => work(process))], call));
    });
  }
}

/** What a request may fail with is the caller's business; everything else is a bug, and ends the supervisor. */
function answered(work: () => unknown): unknown {
  try {
    const result = work();
    return result instanceof Promise ? result.catch(refusal) : result;
  } catch (thrown) {
    return refusal(thrown);
  }
}

function refusal(thrown: unknown): Later<never> {
  if (
    !(thrown instanceof StartError || thrown instanceof AlreadyStartedError || thrown instanceof ReplyError)
  )
    throw thrown;
  const refused = Promise.reject(thrown);
  // Where the supervisor was killed meanwhile nobody reads it: its callers know already.
  refused.catch(() => {});
  return new Later(refused);
}
