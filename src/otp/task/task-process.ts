import { Message } from '../process/message.ts';
import { Process } from '../process/process.ts';
import { report } from '../process/reports.ts';
import type { Task } from './task.ts';

/** What a task does. The signal is aborted when the task is to end: hand it to whatever is awaited. */
export type TaskFunction<T> = (signal: AbortSignal) => T | Promise<T>;

export class TaskProcess<T> extends Process {
  /** What the function gave; undefined as long as it has not. */
  result: { value: T } | undefined;
  task: Task<T> | undefined;
  readonly #work: TaskFunction<T>;

  constructor(parent: Process | undefined, work: TaskFunction<T>) {
    super(parent);
    this.#work = work;
  }

  get label(): string {
    return this.#work.name === '' ? 'Task' : `Task(${this.#work.name})`;
  }

  /** The function is called soon, not now: whoever starts a task goes on first. */
  begin(): void {
    report({ kind: 'progress', process: this });
    this.run();
    this.deliver(new Message('cast', 'run', []));
  }

  protected handle({ kind }: Message): unknown {
    return kind === 'cast' ? this.#perform() : undefined;
  }

  async #perform(): Promise<void> {
    let value: T;
    try {
      value = await this.#work(this.signal);
    } catch (thrown) {
      // It was asked to end: that what it awaited was aborted is how it does that, and no crash.
      if (this.status === 'exiting' || this.status === 'dead') return;
      throw thrown;
    }
    this.result = { value };
    this.exit('normal');
  }
}
