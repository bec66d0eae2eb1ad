import type { Address } from '../process/address.ts';
import { StartError } from '../process/errors.ts';
import type { ExitReason } from '../process/reason.ts';
import { thrownReason } from '../process/reason.ts';
import type { ChildSpec } from '../supervisor/child-spec.ts';
import { inOrder } from './order.ts';

/** A part of a program that is started and stopped as one: mostly a supervision tree. */
export interface Application {
  name: string;
  /** What is started before it, and stopped after it. */
  dependsOn?: readonly string[] | undefined;
  /** Its top process: a spec, or a function that starts it. A function may give nothing, where there is no process. */
  start: ChildSpec | (() => Address | undefined | Promise<Address | undefined>);
  /** Cleans up when the top process has ended. */
  stop?: (() => void | Promise<void>) | undefined;
  /** The end of a permanent one (the default) stops all; a temporary one may go. */
  type?: 'permanent' | 'temporary' | undefined;
  /** How long it may take to stop, milliseconds, before its top process is killed. The default is 5,000. */
  stopTimeoutMs?: number | undefined;
}

interface Running {
  readonly application: Application;
  readonly top: Address | undefined;
}

/** What ended it all: a permanent application, and why. */
export interface ApplicationEnd {
  application: string;
  reason: ExitReason;
}

/** Applications that run. */
export class Applications {
  /** Fulfilled when all have stopped: undefined when that was asked for. */
  readonly ended: Promise<ApplicationEnd | undefined>;
  readonly #running: Running[] = [];
  #finish: (end: ApplicationEnd | undefined) => void = () => {};
  #cause: ApplicationEnd | undefined;
  #stopping: Promise<void> | undefined;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  /** In the order of their start. */
  names(): string[] {
    return this.#running.map(({ application }) => application.name);
  }

  /** Stops all, in the reverse order of their start. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  /** For `startApplications` alone. @throws StartError */
  async add(application: Application): Promise<void> {
    let top: Address | undefined;
    try {
      const { start } = application;
      top = await (typeof start === 'function' ? start() : start.start(undefined));
    } catch (thrown) {
      throw new StartError(`the application '${application.name}'`, thrownReason(thrown));
    }
    const entry = { application, top };
    this.#running.push(entry);
    void top?.ended().then((reason) => this.#over(entry, reason));
  }

  #over(entry: Running, reason: ExitReason): void {
    const at = this.#running.indexOf(entry);
    if (at < 0 || this.#stopping) return;
    const { name, type = 'permanent', stop } = entry.application;
    this.#running.splice(at, 1);
    const cleaned = Promise.resolve(stop?.());
    if (type === 'temporary') return;
    this.#cause = { application: name, reason };
    this.#stopping = cleaned.then(() => this.#stopAll());
  }

  async #stopAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let entry = this.#running.at(-1); entry; entry = this.#running.at(-1)) {
      const { top, application } = entry;
      if (top) await stopTop(top, application.stopTimeoutMs ?? 5_000);
      this.#running.pop();
      try {
        await application.stop?.();
      } catch (thrown) {
        // The others are stopped all the same; then whoever asked learns it.
        failures.push(thrown);
      }
    }
    this.#finish(this.#cause);
    if (failures.length > 0) throw new AggregateError(failures, 'applications failed to clean up');
  }
}

async function stopTop(top: Address, timeoutMs: number): Promise<void> {
  const process = top.find();
  const ended = top.ended();
  process?.exit('shutdown');
  const timer = setTimeout(() => process?.kill('killed'), timeoutMs);
  await ended;
  clearTimeout(timer);
}

/**
 * Starts applications, each after those that it depends on.
 * @throws StartError when one fails to start: those that were up have been stopped; ApplicationError when they depend on
 *   each other in a cycle, or on one that is not there
 */
export async function startApplications(applications: readonly Application[]): Promise<Applications> {
  const running = new Applications();
  for (const application of inOrder(applications)) {
    try {
      await running.add(application);
    } catch (error) {
      await running.stop();
      throw error;
    }
  }
  return running;
}
