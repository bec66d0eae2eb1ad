import { Message } from '../process/message.ts';
import { Process } from '../process/process.ts';
import type { ExitReason } from '../process/reason.ts';
import { report } from '../process/reports.ts';
import { abandon } from './abandoned.ts';
import type { Task } from './task.ts';

/** What a task does. The signal is aborted when the task is to end: hand it to whatever is awaited. */
export type TaskFunction<T> = (signal: AbortSignal) => T | Promise<T>;

export class TaskProcess<T> extends Process {
  /** What the function gave; undefined as long as it has not. */
  result: { value: T } | undefined;
  task: Task<T> | undefined;
  readonly #work: TaskFunction<T>;
  readonly #owner: Process | undefined;
  #working = false;
  #reclaim: (() => void) | undefined;

  constructor(parent: Process | undefined, work: TaskFunction<T>, owner = parent) {
    super(parent);
    this.#work = work;
    this.#owner = owner;
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

  /** With its owner it ends at once, as in OTP: nobody is left who would wait for its function, or lose patience. */
  override exit(reason: ExitReason): void {
    const orphaned = [this.#owner, this.parent].some((one) => one?.alive === false && one.reason === reason);
    if (orphaned) this.kill(reason);
    else super.exit(reason);
  }

  protected override dispose(): void {
    if (this.#working) this.#reclaim = abandon(this);
  }

  protected handle({ kind }: Message): unknown {
    return kind === 'cast' ? this.#perform() : undefined;
  }

  async #perform(): Promise<void> {
    let value: T;
    this.#working = true;
    try {
      value = await this.#work(this.signal);
    } catch (thrown) {
      // It was asked to end: that what it awaited was aborted is how it does that, and no crash.
      if (this.status === 'exiting' || this.status === 'dead') return;
      throw thrown;
    } finally {
      this.#working = false;
      this.#reclaim?.();
    }
    // How one has ended that was killed is known, and stays so.
    if (!this.alive) return;
    this.result = { value };
    super.exit('normal');
  }
}
