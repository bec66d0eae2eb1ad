import { type ResourceLimits, Worker } from 'node:worker_threads';
import { ReplyError, UnknownMessageError } from '../process/errors.ts';
import type { Message } from '../process/message.ts';
import type { Process } from '../process/process.ts';
import type { ExitReason } from '../process/reason.ts';
import { Server } from '../server/server.ts';
import { type ProcessOptions, type ServerClass, ServerProcess } from '../server/server-process.ts';
import { MARK, type WorkerStart } from './mark.ts';
import {
  type FromWorker,
  reasonOf,
  type ToWorker,
  WorkerError,
  WorkerReplyError,
  wireReason,
} from './wire.ts';

export interface WorkerOptions extends ProcessOptions {
  /** How long one message may be at work before the thread is ended, and the server with it; the default is any time. */
  timeoutMs?: number | undefined;
  /** Of the thread: `{ maxOldGenerationSizeMb: 100 }`. Who needs more dies alone. */
  resourceLimits?: ResourceLimits | undefined;
}

/** What is asked of the thread now. */
interface Question {
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout | undefined;
}

/** The object that stands here for the one in the thread. */
class WorkerProxy extends Server {
  #worker: Worker | undefined;
  #question: Question | undefined;
  #timeoutMs = Infinity;

  override init(url: URL, start: WorkerStart, options: WorkerOptions): Promise<unknown> {
    this.#timeoutMs = options.timeoutMs ?? Infinity;
    const worker = new Worker(url, {
      workerData: { [MARK]: start },
      ...(options.resourceLimits && { resourceLimits: options.resourceLimits }),
    });
    this.#worker = worker;
    const started = this.#ask(Infinity);
    worker.on('message', (message: FromWorker) => this.#said(message));
    // Not caught in the thread: an error of its module, no more memory.
    worker.on('error', (error) => this.#ended(error));
    worker.on('exit', (code) =>
      this.#ended(
        new WorkerError('WorkerError', 'worker-exit', `the thread of ${start.name} ended with ${code}`),
      ),
    );
    return started;
  }

  forward(name: string, args: readonly unknown[]): Promise<unknown> {
    try {
      this.#post({ kind: 'message', name, args });
    } catch (cause) {
      throw new ReplyError(`the arguments of '${name}' cannot be copied to the worker`, { cause });
    }
    return this.#ask(this.#timeoutMs, name);
  }

  override terminate(reason: ExitReason): unknown {
    if (!this.#worker) return undefined;
    this.#post({ kind: 'stop', reason: wireReason(reason) });
    return this.#ask(Infinity);
  }

  /** Whatever it does: also an endless loop. */
  endThread(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    clearTimeout(this.#question?.timer);
    void worker?.terminate();
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #ask(timeoutMs: number, name = ''): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const late = () => {
        this.endThread();
        reject(
          new WorkerError('WorkerError', 'worker-timeout', `'${name}' took longer than ${timeoutMs} ms`),
        );
      };
      const timer = timeoutMs === Infinity ? undefined : setTimeout(late, timeoutMs);
      this.#question = { resolve, reject, timer };
    });
  }

  #answered(): Question | undefined {
    const question = this.#question;
    this.#question = undefined;
    clearTimeout(question?.timer);
    return question;
  }

  #said(message: FromWorker): void {
    if (message.kind === 'ended') this.#ended(reasonOf(message.reason));
    else if (message.kind === 'failed') this.#answered()?.reject(new WorkerReplyError(message.error));
    else this.#answered()?.resolve(message.kind === 'answer' ? message.value : undefined);
  }

  #ended(reason: ExitReason): void {
    if (!this.#worker) return;
    this.endThread();
    const question = this.#answered();
    const ending = this.signal.aborted;
    if (ending) question?.resolve(undefined);
    // Who waits is told why, and its handler's failure is this server's end, reported once.
    else if (question && reason instanceof Error) question.reject(reason);
    else {
      this.stop(reason);
      question?.resolve(undefined);
    }
  }
}

/** A process here whose server is in a thread of its own. */
export class WorkerProcess extends ServerProcess {
  readonly #label: string;

  constructor(label: string, parent: Process | undefined, options: WorkerOptions) {
    super(WorkerProxy as ServerClass<Server>, parent, options);
    this.#label = label;
  }

  override get label(): string {
    return this.#label;
  }

  /** One message at a time goes over, and the next waits in the mailbox here, where its bound and its statistics are. */
  protected override handle(message: Message): unknown {
    if (message.kind === 'info') return undefined;
    if (message.name in Server.prototype) {
      if (message.call) throw new UnknownMessageError(this.toString(), message.name);
      return undefined;
    }
    return (this.server as WorkerProxy).forward(message.name, message.args);
  }

  protected override dispose(): void {
    super.dispose();
    (this.server as WorkerProxy | undefined)?.endThread();
  }
}
