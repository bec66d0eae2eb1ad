import type { Address } from '../process/address.ts';
import { Message } from '../process/message.ts';
import type { Process } from '../process/process.ts';
import { type ExitReason, isOrderly } from '../process/reason.ts';
import { Wait } from './backoff.ts';
import type { ChildSpec } from './child-spec.ts';
import { SupervisorError } from './errors.ts';
import { after, shutDown } from './shut-down.ts';
import { type SupervisingOptions, SupervisingProcess } from './supervising-process.ts';

export interface DynamicSupervisorOptions extends SupervisingOptions {
  /** How many children there may be at a time; the default is any number. */
  maxChildren?: number | undefined;
}

/** There may be a hundred thousand of these: what most never need is not there until it is. */
export class DynamicChild {
  readonly spec: ChildSpec;
  ref: Address | undefined;
  /** The one that ended, while the next is not there. */
  process: Process | undefined;
  restarts = 0;
  startedAt = 0;
  wait: Wait | undefined;
  reason: ExitReason | undefined;

  constructor(spec: ChildSpec) {
    this.spec = spec;
  }
}

export class DynamicSupervisorProcess extends SupervisingProcess {
  readonly #maxChildren: number;
  readonly #running = new Map<Process, DynamicChild>();
  readonly #restarting = new Set<DynamicChild>();

  constructor(parent: Process | undefined, options: DynamicSupervisorOptions) {
    super(parent, options);
    this.#maxChildren = options.maxChildren ?? Infinity;
  }

  get label(): string {
    return 'DynamicSupervisor';
  }

  /** The oldest first, then those that are about to be started anew. */
  *children(): Generator<DynamicChild> {
    yield* this.#running.values();
    yield* this.#restarting;
  }

  get size(): number {
    return this.#running.size + this.#restarting.size;
  }

  startChild(spec: ChildSpec): Address | undefined | Promise<Address | undefined> {
    if (this.size >= this.#maxChildren)
      throw new SupervisorError('max-children', `${this} has ${this.size} children, and may not have more`);
    const child = new DynamicChild(spec);
    const starting = this.startProcess(spec);
    return starting instanceof Promise
      ? starting.then((ref) => this.#up(child, ref))
      : this.#up(child, starting);
  }

  terminateChild(process: Process | undefined): undefined | Promise<void> {
    for (const child of this.#restarting) {
      if (child.process === process && this.#restarting.delete(child)) return undefined;
    }
    const child = process && this.#running.get(process);
    if (!child)
      throw new SupervisorError('not-found', `${process ?? 'what is not there'} is no child of ${this}`);
    this.#running.delete(process);
    return after(shutDown(process, this, child.spec.shutdown), () => undefined) as undefined | Promise<void>;
  }

  protected init(): undefined {
    return undefined;
  }

  protected childEnded(process: Process, reason: ExitReason): unknown {
    const child = this.#running.get(process);
    if (!child) return undefined;
    this.#running.delete(process);
    child.ref = undefined;
    const { restart, id } = child.spec;
    if (!isOrderly(reason) || restart === 'permanent') this.report('child_terminated', id, reason);
    if (restart === 'permanent' || (restart === 'transient' && !isOrderly(reason)))
      return this.#restart(child, reason);
    return undefined;
  }

  protected retry(what: unknown): unknown {
    if (!(what instanceof DynamicChild) || !this.#restarting.has(what)) return undefined;
    const { reason } = what;
    if (reason === undefined) return this.#startAgain(what);
    what.reason = undefined;
    return this.#restart(what, reason);
  }

  /** All at once, as OTP does: with thousands of them an order would mean nothing, and take long. */
  protected override terminate(): unknown {
    const late: Promise<unknown>[] = [];
    const deadlines = new Map<number, Process[]>();
    this.#restarting.clear();
    for (const [process, { spec }] of this.#running) {
      this.#running.delete(process);
      // One timer for all that have the same deadline, below.
      const ms = typeof spec.shutdown === 'number' ? spec.shutdown : undefined;
      const stopping = shutDown(process, this, ms === undefined ? spec.shutdown : 'infinity');
      if (!(stopping instanceof Promise)) continue;
      late.push(stopping);
      if (ms === undefined) continue;
      const same = deadlines.get(ms) ?? [];
      deadlines.set(ms, same);
      same.push(process);
    }
    if (late.length === 0) return undefined;
    const timers = [...deadlines].map(([ms, processes]) =>
      setTimeout(() => {
        for (const process of processes) process.kill('killed');
      }, ms),
    );
    return Promise.all(late).then(() => {
      for (const timer of timers) clearTimeout(timer);
    });
  }

  #up(child: DynamicChild, ref: Address | undefined): Address | undefined {
    const process = ref?.find();
    this.#restarting.delete(child);
    if (!process) return undefined;
    child.ref = ref;
    child.process = process;
    if (this.backoff) child.startedAt = performance.now();
    this.#running.set(process, child);
    // Killed while it waited for this very child: nobody else would ever end it.
    if (!this.alive) process.exit('shutdown');
    return ref;
  }

  #restart(child: DynamicChild, reason: ExitReason): undefined | Promise<void> {
    this.#restarting.add(child);
    if (!this.mayRestart(child.spec.id, reason)) return undefined;
    child.restarts++;
    if (!this.backoff) return this.#startAgain(child);
    child.wait ??= new Wait();
    this.sendAfter(child.wait.next(this.backoff, performance.now() - child.startedAt), child);
    return undefined;
  }

  #startAgain(child: DynamicChild): undefined | Promise<void> {
    const failed = (thrown: unknown): void => {
      if (!(thrown instanceof Error)) throw thrown;
      this.report('start_error', child.spec.id, thrown);
      child.reason = thrown;
      this.deliver(new Message('info', '', [child]));
    };
    try {
      const starting = this.startProcess(child.spec);
      if (starting instanceof Promise) return starting.then((ref) => void this.#up(child, ref), failed);
      this.#up(child, starting);
    } catch (thrown) {
      failed(thrown);
    }
    return undefined;
  }
}
