import { type ResourceLimits, Worker } from 'node:worker_threads';
import { MAX_TIMER_MS } from '../process/deadlines.ts';
import { ReplyError, UnknownMessageError } from '../process/errors.ts';
import type { Message } from '../process/message.ts';
import type { Process } from '../process/process.ts';
import type { ExitReason } from '../process/reason.ts';
import { Server } from '../server/server.ts';
import { type ProcessOptions, type ServerClass, ServerProcess } from '../server/server-process.ts';
import { MARK, type WorkerStart } from './mark.ts';
import {
  type FromWorker,
  type Question,
  reasonOf,
  type ToWorker,
  WorkerError,
  WorkerReplyError,
  wireReason,
  workerError,
} from './wire.ts';

export interface WorkerOptions extends ProcessOptions {
  /** How long one message may be at work before the thread is ended, and the server with it; the default is any time. */
  timeoutMs?: number | undefined;
  /** Of the thread: `{ maxOldGenerationSizeMb: 100 }`. Who needs more dies alone. */
  resourceLimits?: ResourceLimits | undefined;
}

/** What waits for the thread now: one question, its start or its end. */
interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout | undefined;
  /** Told when the thread ends in good order, and not by an answer. */
  unanswered: ((reason: ExitReason) => void) | undefined;
}

/** The object that stands here for the one in the thread. */
class WorkerProxy extends Server {
  #worker: Worker | undefined;
  #waiting: Waiting | undefined;
  #timeoutMs = Infinity;

  override init(url: URL, start: WorkerStart, options: WorkerOptions): Promise<unknown> {
    this.#timeoutMs = options.timeoutMs ?? Infinity;
    const worker = new Worker(url, {
      workerData: { [MARK]: start },
      ...(options.resourceLimits && { resourceLimits: options.resourceLimits }),
    });
    this.#worker = worker;
    const started = this.#wait(Infinity);
    worker.on('message', (message: FromWorker) => this.#said(message));
    // Not caught in the thread: an error of its module, no more memory.
    worker.on('error', (error) => this.#ended(error));
    worker.on('messageerror', (error) => this.#ended(error));
    worker.on('exit', (code) =>
      this.#ended(
        new WorkerError('WorkerError', 'worker-exit', `the thread of ${start.name} ended with ${code}`),
      ),
    );
    // At once, and not when the handler at work is done: that one may wait for its own signal.
    this.signal.addEventListener('abort', () => {
      if (this.self.alive) this.#post({ kind: 'stop', reason: wireReason(this.signal.reason) });
    });
    return started;
  }

  /** @param unanswered told when the thread ends in good order, and not by an answer */
  forward(question: Question, unanswered?: (reason: ExitReason) => void): Promise<unknown> {
    try {
      this.#post(question);
    } catch (cause) {
      const what = question.name === '' ? 'a message' : `what '${question.name}' is given`;
      throw new ReplyError(`${what} cannot be copied to the worker`, { cause });
    }
    return this.#wait(this.#timeoutMs, question.name, unanswered);
  }

  override terminate(): unknown {
    return this.#worker && this.#wait(Infinity);
  }

  /** Whatever it does: also an endless loop. */
  endThread(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    clearTimeout(this.#waiting?.timer);
    void worker?.terminate();
  }

  #post(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #wait(timeoutMs: number, name = '', unanswered?: Waiting['unanswered']): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const late = () => {
        this.endThread();
        reject(
          new WorkerError('WorkerError', 'worker-timeout', `'${name}' took longer than ${timeoutMs} ms`),
        );
      };
      const timer = timeoutMs === Infinity ? undefined : setTimeout(late, Math.min(timeoutMs, MAX_TIMER_MS));
      this.#waiting = { resolve, reject, timer, unanswered };
    });
  }

  #answered(): Waiting | undefined {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    clearTimeout(waiting?.timer);
    return waiting;
  }

  #said(message: FromWorker): void {
    if (message.kind === 'ended') this.#ended(reasonOf(message.reason), message.known);
    else if (message.kind === 'failed')
      this.#answered()?.reject(
        message.fatal ? workerError(message.error) : new WorkerReplyError(message.error),
      );
    else this.#answered()?.resolve(message.kind === 'answer' ? message.value : undefined);
  }

  /** @param known this process ends already, with that */
  #ended(reason: ExitReason, known = false): void {
    if (!this.#worker) return;
    this.endThread();
    const waiting = this.#answered();
    // Who waits is told why, and its handler's failure is this server's end, reported once.
    if (waiting && !known && reason instanceof Error) waiting.reject(reason);
    else {
      waiting?.unanswered?.(reason);
      this.stop(reason);
      waiting?.resolve(undefined);
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

  override getState(): Promise<unknown> {
    return this.#forward({ kind: 'getState', name: 'getState' });
  }

  override setState(value: unknown): Promise<unknown> {
    return this.#forward({ kind: 'setState', name: 'replaceState', value });
  }

  /** One message at a time goes over, and the next waits in the mailbox here, where its bound and its statistics are. */
  protected override handle({ kind, name, args, call }: Message): unknown {
    if (kind === 'system') return undefined;
    if (kind !== 'info' && name in Server.prototype) {
      if (call) throw new UnknownMessageError(this.toString(), name);
      return undefined;
    }
    return this.#forward({ kind, name, args });
  }

  protected override dispose(): void {
    super.dispose();
    (this.server as WorkerProxy | undefined)?.endThread();
  }

  #forward(question: Question): Promise<unknown> {
    const asker = this.handling?.call;
    return (this.server as WorkerProxy).forward(question, (reason) => asker?.refuse(reason));
  }
}
