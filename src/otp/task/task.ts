import { Address } from '../process/address.ts';
import { CallError, TimeoutError } from '../process/errors.ts';
import { currentProcess, type Process } from '../process/process.ts';
import type { ExitReason } from '../process/reason.ts';
import { link } from '../process/signals.ts';
import { type ChildOptions, type ChildSpec, settings } from '../supervisor/child-spec.ts';
import { type TaskFunction, TaskProcess } from './task-process.ts';

/** How long `await` and `shutdown` wait unless they say otherwise, as in Elixir. */
const PATIENCE_MS = 5_000;

/** How a task ended. */
export type Outcome<T> = { ok: true; value: T } | { ok: false; reason: ExitReason };

export interface TaskOptions {
  /**
   * Whom the task is linked to: it does not outlive its owner, nor the owner its crash. The default is the server whose
   * handler runs now; after an `await` in a handler nobody knows that any more, and `this.self` must be named.
   */
  owner?: Address | undefined;
}

/**
 * Work beside a process, whose result is awaited.
 *
 * ```ts
 * const page = Task.async((signal) => fetch(url, { signal }));
 * const answer = await page.await(1_000);
 * ```
 *
 * JavaScript cannot interrupt a function: a task that is killed, or whose owner ends, counts as ended at once, and its signal
 * is aborted, but code that ignores the signal runs on. Its result is nobody's, and as long as it runs `sys.processes()` shows
 * it as 'abandoned'. What must be stopped for sure is a port or a worker.
 */
export class Task<T> extends Address {
  readonly #process: TaskProcess<T>;

  private constructor(process: TaskProcess<T>) {
    super();
    this.#process = process;
  }

  /** Starts a task, linked to its owner if there is one. */
  static async<T>(work: TaskFunction<T>, options: TaskOptions = {}): Task<T> {
    const owner = options.owner ? options.owner.process() : currentProcess();
    const process = new TaskProcess<T>(owner, work);
    if (owner) link(process, owner);
    return Task.#begun(process);
  }

  /** A task as a child of a supervisor; temporary, unless it says otherwise. */
  static child<T>(work: TaskFunction<T>, options: ChildOptions & TaskOptions = {}): ChildSpec<Task<T>> {
    return {
      ...settings(options, work.name === '' ? 'task' : work.name, 'temporary'),
      type: 'worker',
      start: (supervisor) => {
        const owner = options.owner?.process();
        const process = new TaskProcess<T>(supervisor, work, owner);
        if (supervisor) link(process, supervisor);
        if (owner) link(process, owner);
        return Task.#begun(process);
      },
    };
  }

  static #begun<T>(process: TaskProcess<T>): Task<T> {
    process.begin();
    return new Task(process);
  }

  find(): Process {
    return this.#process;
  }

  toString(): string {
    return String(this.#process);
  }

  /**
   * The result. A task that takes too long is killed: nobody waits for it any more.
   * @throws CallError when the task ended without a result, with what it threw as `cause`; TimeoutError
   */
  async await(timeoutMs = PATIENCE_MS): Promise<T> {
    const outcome = await this.yield(timeoutMs);
    if (outcome?.ok) return outcome.value;
    if (outcome) throw new CallError(this.toString(), 'await', outcome.reason);
    this.#process.kill('killed');
    throw new TimeoutError(this.toString(), 'await', timeoutMs);
  }

  /** How it ended; undefined when it has not within the time: it goes on, and may be asked again. */
  async yield(timeoutMs = PATIENCE_MS): Promise<Outcome<T> | undefined> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      if (timeoutMs !== Infinity) timer = setTimeout(resolve, timeoutMs, undefined);
    });
    const ended = this.ended().then((reason): Outcome<T> => {
      const { result } = this.#process;
      return result ? { ok: true, value: result.value } : { ok: false, reason };
    });
    try {
      return await Promise.race([ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Asks it to end, and kills it after a while; at once if 'brutal'. The outcome, if it has one after all. */
  async shutdown(timeoutMs: number | 'brutal' = PATIENCE_MS): Promise<Outcome<T> | undefined> {
    const ending = this.#process.alive;
    if (timeoutMs === 'brutal') this.#process.kill('killed');
    else this.#process.exit('shutdown');
    let outcome = await this.yield(timeoutMs === 'brutal' ? Infinity : timeoutMs);
    if (!outcome) {
      this.#process.kill('killed');
      outcome = await this.yield(Infinity);
    }
    const asked = !outcome?.ok && (outcome?.reason === 'shutdown' || outcome?.reason === 'killed');
    return ending && asked ? undefined : outcome;
  }
}
