import type { Address } from '../process/address.ts';
import { Message } from '../process/message.ts';
import type { Process } from '../process/process.ts';
import { type ExitReason, isOrderly, thrownReason } from '../process/reason.ts';
import { Wait } from './backoff.ts';
import type { ChildSpec } from './child-spec.ts';
import { SupervisorError } from './errors.ts';
import { after, shutDown } from './shut-down.ts';
import { SupervisingProcess } from './supervising-process.ts';
import { checkChild, type SupervisorOptions } from './supervisor-options.ts';

/** A place under a supervisor; processes come and go in it. */
export class Child {
  readonly spec: ChildSpec;
  state: 'running' | 'restarting' | 'stopped' = 'stopped';
  ref: Address | undefined;
  process: Process | undefined;
  restarts = -1;
  startedAt = 0;
  readonly wait = new Wait();
  /** The attempt to start it anew that is due; an older one is void. */
  retry: Retry | undefined;

  constructor(spec: ChildSpec) {
    this.spec = spec;
  }
}

/** A message to itself: start a child, whose restart failed or had to wait. */
class Retry {
  readonly child: Child;
  /** Whether the restart was counted already, and the group stopped: it only waited. */
  readonly counted: boolean;
  readonly reason: ExitReason;
  constructor(child: Child, counted: boolean, reason: ExitReason) {
    this.child = child;
    this.counted = counted;
    this.reason = reason;
  }
}

class ChildStartFailure {
  readonly child: Child;
  readonly error: Error;
  constructor(child: Child, error: Error) {
    this.child = child;
    this.error = error;
  }
}

export class SupervisorProcess extends SupervisingProcess {
  readonly #options: SupervisorOptions;
  /** In the order of their start. */
  #children: Child[];
  readonly #byProcess = new Map<Process, Child>();

  constructor(parent: Process | undefined, options: SupervisorOptions) {
    super(parent, options);
    this.#options = options;
    this.#children = options.children.map((spec) => new Child(spec));
  }

  get label(): string {
    return 'Supervisor';
  }

  get children(): readonly Child[] {
    return this.#children;
  }

  startChild(spec: ChildSpec): Address | undefined | Promise<Address | undefined> {
    checkChild(spec, this.#options);
    const present = this.#children.find(({ spec: { id } }) => id === spec.id);
    if (present) {
      const code = present.state === 'stopped' ? 'already-present' : 'already-started';
      throw new SupervisorError(code, `${this} has a child '${spec.id}' already (${present.state})`);
    }
    const child = new Child(spec);
    const started = this.#attempt(child, () => this.#children.push(child));
    return after(started, () => child.ref);
  }

  terminateChild(id: string): undefined | Promise<void> {
    const child = this.#find(id);
    return after(this.#stop(child), () => {
      if (child.spec.restart === 'temporary') this.#forget(child);
    }) as undefined | Promise<void>;
  }

  restartChild(id: string): Address | undefined | Promise<Address | undefined> {
    const child = this.#stopped(id);
    return after(this.#attempt(child), () => child.ref);
  }

  deleteChild(id: string): void {
    this.#forget(this.#stopped(id));
  }

  protected init(): undefined | Promise<void> {
    const failed = (thrown: unknown): undefined | Promise<void> => {
      this.#startFailed(thrown);
      return after(this.#stopAll(this.#children), () => {
        throw (thrown as ChildStartFailure).error;
      });
    };
    try {
      return this.#startAll(this.#children)?.catch(failed);
    } catch (thrown) {
      return failed(thrown);
    }
  }

  protected childEnded(process: Process, reason: ExitReason): unknown {
    const child = this.#byProcess.get(process);
    if (!child) return undefined;
    this.#down(child);
    const { id, restart } = child.spec;
    if (!isOrderly(reason) || restart === 'permanent') this.report('child_terminated', id, reason);
    if (restart === 'permanent' || (restart === 'transient' && !isOrderly(reason)))
      return this.#restart(child, reason);
    if (restart === 'temporary') this.#forget(child);
    this.#shutDownAfter(child);
    return undefined;
  }

  protected retry(what: unknown): unknown {
    if (!(what instanceof Retry) || what.child.retry !== what) return undefined;
    const { child, counted, reason } = what;
    return counted ? this.#startGroup(this.#group(child)) : this.#restart(child, reason);
  }

  protected override terminate(): unknown {
    return this.#stopAll(this.#children);
  }

  #find(id: string): Child {
    const child = this.#children.find(({ spec }) => spec.id === id);
    if (child) return child;
    throw new SupervisorError('not-found', `${this} has no child '${id}'`);
  }

  #stopped(id: string): Child {
    const child = this.#find(id);
    if (child.state === 'stopped') return child;
    throw new SupervisorError(child.state, `the child '${id}' of ${this} is ${child.state}`);
  }

  #forget(child: Child): void {
    this.#children = this.#children.filter((other) => other !== child);
  }

  /** Temporary children that had to stop with their group are not started with it. */
  #forgetStoppedTemporaries(): void {
    this.#children = this.#children.filter(
      ({ state, spec }) => state === 'running' || spec.restart !== 'temporary',
    );
  }

  #down(child: Child): void {
    if (child.process) this.#byProcess.delete(child.process);
    child.process = child.ref = child.retry = undefined;
    child.state = 'stopped';
  }

  /** A start that somebody asked for: when it fails they learn it, and the child is as it was. */
  #attempt(child: Child, started?: () => void): undefined | Promise<void> {
    const failed = (thrown: unknown): never => {
      this.#startFailed(thrown);
      throw (thrown as ChildStartFailure).error;
    };
    const done = (): void => {
      if (child.state === 'running' || child.spec.restart !== 'temporary') started?.();
    };
    try {
      const starting = this.#start(child);
      if (starting) return starting.then(done, failed);
    } catch (thrown) {
      return failed(thrown);
    }
    done();
    return undefined;
  }

  /** @throws ChildStartFailure */
  #start(child: Child): undefined | Promise<void> {
    const failed = (thrown: unknown): never => {
      throw new ChildStartFailure(child, thrownReason(thrown));
    };
    let starting: ReturnType<ChildSpec['start']>;
    try {
      starting = this.startProcess(child.spec);
    } catch (thrown) {
      return failed(thrown);
    }
    if (starting instanceof Promise) return starting.then((ref) => this.#up(child, ref), failed);
    this.#up(child, starting);
    return undefined;
  }

  #up(child: Child, ref: Address | undefined): void {
    const process = ref?.find();
    child.retry = undefined;
    child.restarts++;
    if (!process) {
      if (child.spec.restart === 'temporary') this.#forget(child);
      return;
    }
    child.ref = ref;
    child.process = process;
    child.state = 'running';
    if (this.backoff) child.startedAt = performance.now();
    this.#byProcess.set(process, child);
    // Killed while it waited for this very child: nobody else would ever end it.
    if (!this.alive) process.exit('shutdown');
  }

  #startAll(children: readonly Child[], from = 0): undefined | Promise<void> {
    for (let i = from; i < children.length; i++) {
      const child = children[i];
      if (!this.alive || child?.state === 'running' || !child) continue;
      const starting = this.#start(child);
      if (starting) return starting.then(() => this.#startAll(children, i + 1));
    }
    return undefined;
  }

  #stop(child: Child): undefined | Promise<void> {
    const { process, spec } = child;
    this.#down(child);
    if (!process) return undefined;
    return after(shutDown(process, this, spec.shutdown), (reason) => {
      const asked = isOrderly(reason) || (reason === 'killed' && spec.shutdown === 'brutal');
      if (!asked) this.report('shutdown_error', spec.id, reason);
    }) as undefined | Promise<void>;
  }

  /** In reverse order, each after the one before has ended. */
  #stopAll(children: readonly Child[], from = children.length - 1): undefined | Promise<void> {
    for (let i = from; i >= 0; i--) {
      const child = children[i];
      const stopping = child && this.#stop(child);
      if (stopping) return stopping.then(() => this.#stopAll(children, i - 1));
    }
    return undefined;
  }

  /** All that a restart of a child restarts. */
  #group(child: Child): Child[] {
    const { strategy = 'one_for_one' } = this.#options;
    if (strategy === 'one_for_one') return [child];
    return strategy === 'one_for_all' ? this.#children : this.#children.slice(this.#children.indexOf(child));
  }

  #restart(child: Child, reason: ExitReason): undefined | Promise<void> {
    const upMs = performance.now() - child.startedAt;
    child.state = 'stopped';
    if (!this.mayRestart(child.spec.id, reason)) return undefined;
    return after(this.#stopAll(this.#group(child)), () => {
      if (this.#options.strategy) this.#forgetStoppedTemporaries();
      const waitMs = child.wait.next(this.backoff, upMs);
      if (waitMs === 0) return this.#startGroup(this.#group(child));
      child.state = 'restarting';
      child.retry = new Retry(child, true, reason);
      this.sendAfter(waitMs, child.retry);
      return undefined;
    }) as undefined | Promise<void>;
  }

  /** Starts a group anew. What fails is tried again, as a further restart: others get their turn in between. */
  #startGroup(group: readonly Child[]): undefined | Promise<void> {
    const failed = (thrown: unknown): void => {
      const { child, error } = this.#startFailed(thrown);
      child.state = 'restarting';
      child.retry = new Retry(child, false, error);
      this.deliver(new Message('info', '', [child.retry]));
    };
    try {
      return this.#startAll(group)?.catch(failed);
    } catch (thrown) {
      failed(thrown);
      return undefined;
    }
  }

  #startFailed(thrown: unknown): ChildStartFailure {
    if (!(thrown instanceof ChildStartFailure)) throw thrown;
    this.report('start_error', thrown.child.spec.id, thrown.error);
    return thrown;
  }

  /** A significant child has ended by itself. */
  #shutDownAfter(child: Child): void {
    const { autoShutdown = 'never' } = this.#options;
    if (!child.spec.significant || autoShutdown === 'never') return;
    const active = this.#children.some(({ spec, state }) => spec.significant && state !== 'stopped');
    if (autoShutdown === 'any_significant' || !active) this.exit('shutdown');
  }
}
