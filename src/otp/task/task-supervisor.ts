import { availableParallelism } from 'node:os';
import { Address } from '../process/address.ts';
import { currentProcess, type Process } from '../process/process.ts';
import type { ExitReason } from '../process/reason.ts';
import type { ChildOptions, ChildSpec, Shutdown } from '../supervisor/child-spec.ts';
import { DynamicSupervisorRef, dynamicSupervisor } from '../supervisor/dynamic.ts';
import type { DynamicSupervisorOptions } from '../supervisor/dynamic-process.ts';
import type { ChildInfo } from '../supervisor/supervisor.ts';
import { type Outcome, Task, type TaskOptions } from './task.ts';
import type { TaskFunction } from './task-process.ts';

export interface StreamOptions {
  /** How many run at a time. The default is the number of processors. */
  maxConcurrency?: number | undefined;
  /** Whether outcomes come in the order of the items (the default), or of the ends. */
  ordered?: boolean | undefined;
  /** How long one may take, milliseconds, before it is killed. The default is 5,000. */
  timeoutMs?: number | undefined;
}

export interface SupervisedTaskOptions {
  shutdown?: Shutdown | undefined;
}

/** Leads to a supervisor of tasks. */
export class TaskSupervisorRef extends Address {
  readonly #tasks: DynamicSupervisorRef;

  constructor(tasks: DynamicSupervisorRef) {
    super();
    this.#tasks = tasks;
  }

  /** A task that is linked to its owner: whichever crashes takes the other with it. */
  async<T>(work: TaskFunction<T>, options: TaskOptions & SupervisedTaskOptions = {}): Promise<Task<T>> {
    const caller = currentProcess();
    const owner = options.owner ?? (caller && new Own(caller));
    return this.#start(work, { ...options, owner });
  }

  /** A task whose crash its owner only learns by what `await` or `yield` give. */
  asyncNoLink<T>(work: TaskFunction<T>, options: SupervisedTaskOptions = {}): Promise<Task<T>> {
    return this.#start(work, { shutdown: options.shutdown });
  }

  /**
   * One task an item; so many at a time run, or wait to be read. Items are taken as outcomes are. Leaving the loop ends what still runs.
   * One that fails, or takes too long (reason 'killed'), does not end the others.
   */
  async *asyncStream<I, T>(
    items: Iterable<I> | AsyncIterable<I>,
    work: (item: I, signal: AbortSignal) => T | Promise<T>,
    options: StreamOptions = {},
  ): AsyncGenerator<Outcome<T>, void, undefined> {
    const { maxConcurrency = availableParallelism(), ordered = true, timeoutMs = 5_000 } = options;
    if (!(maxConcurrency >= 1))
      throw new RangeError(`maxConcurrency is ${maxConcurrency}, not a number from 1`);
    const running: Running<T>[] = [];
    const next = async (): Promise<Outcome<T>> => {
      if (!ordered) await Promise.race(running.map(({ outcome }) => outcome));
      const at = ordered ? 0 : running.findIndex(({ over }) => over);
      const outcome = await running[at]?.outcome;
      running.splice(at, 1);
      return outcome ?? { ok: false, reason: 'noproc' };
    };
    try {
      for await (const item of items) {
        if (running.length >= maxConcurrency) yield await next();
        const task = await this.asyncNoLink((signal) => work(item, signal));
        running.push(new Running(task, timeoutMs));
      }
      while (running.length > 0) yield await next();
    } finally {
      await Promise.all(running.map(({ task }) => task.shutdown('brutal')));
    }
  }

  children(): Promise<ChildInfo[]> {
    return this.#tasks.children();
  }

  stop(reason?: ExitReason): Promise<ExitReason> {
    return this.#tasks.stop(reason);
  }

  find(): Process | undefined {
    return this.#tasks.find();
  }

  toString(): string {
    return this.#tasks.toString();
  }

  async #start<T>(work: TaskFunction<T>, options: ChildOptions & TaskOptions): Promise<Task<T>> {
    const task = await this.#tasks.startChild(Task.child(work, options));
    if (task) return task;
    throw new Error('unreachable: a task always starts');
  }
}

/** A process that runs a handler now, and has no reference at hand. */
class Own extends Address {
  readonly #process: Process;
  constructor(process: Process) {
    super();
    this.#process = process;
  }
  find(): Process {
    return this.#process;
  }
  toString(): string {
    return String(this.#process);
  }
}

class Running<T> {
  readonly task: Task<T>;
  readonly outcome: Promise<Outcome<T>>;
  over = false;
  constructor(task: Task<T>, timeoutMs: number) {
    this.task = task;
    this.outcome = within(task, timeoutMs).finally(() => {
      this.over = true;
    });
  }
}

async function within<T>(task: Task<T>, timeoutMs: number): Promise<Outcome<T>> {
  const outcome = await task.yield(timeoutMs);
  if (outcome) return outcome;
  return (await task.shutdown('brutal')) ?? { ok: false, reason: 'killed' };
}

/** A supervisor of tasks, which are temporary. */
export function taskSupervisor(
  options: DynamicSupervisorOptions & ChildOptions = {},
): ChildSpec<TaskSupervisorRef> {
  const spec = dynamicSupervisor({ ...options, id: options.id ?? options.name ?? 'task-supervisor' });
  return {
    ...spec,
    start: (supervisor) => {
      const started = spec.start(supervisor);
      if (started instanceof Promise) return started.then((tasks) => tasks && new TaskSupervisorRef(tasks));
      return started && new TaskSupervisorRef(started);
    },
  };
}

/** Leads to whichever task supervisor has a name at the moment of use: its own, or one in a registry. */
export function namedTaskSupervisor(name: string | Address): TaskSupervisorRef {
  return new TaskSupervisorRef(new DynamicSupervisorRef(name));
}
