import { writeFileSync } from 'node:fs';
import { ReplyError } from '../process/errors.ts';
import { describeReason, type ExitReason } from '../process/reason.ts';
import { Server } from '../server/server.ts';
import * as sys from '../sys/index.ts';
import { workerServer } from './worker-server.ts';

/** What workers are tested with: loaded by the test, and by its threads. */
export class Numbers extends Server {
  #sum = 0;
  override init(start: number): void {
    if (start < 0) throw new RangeError('negative');
    this.#sum = start;
  }
  async add(by: number): Promise<number> {
    const before = this.#sum;
    await new Promise(setImmediate);
    this.#sum = before + by;
    return AFTER(this.#sum);
  }
  thread(): boolean {
    return isMain;
  }
  spin(): void {
    for (;;);
  }
  crash(): never {
    throw Object.assign(new TypeError('on purpose'), { code: 'EPURPOSE' });
  }
  refuse(): never {
    throw new ReplyError('not today');
  }
  eat(): number {
    const all: number[][] = [];
    for (;;) all.push(new Array(1e6).fill(0.5));
  }
  secret(): () => void {
    return () => undefined;
  }
  quit(): void {
    this.stop();
  }
  leave(): void {
    process.exit(3);
  }
  reject(): void {
    void Promise.reject(new RangeError('for nobody'));
  }
  /** Ends when this server is asked to. */
  wait(): Promise<string> {
    return new Promise((resolve) => {
      this.signal.addEventListener('abort', () => resolve(`asked to end: ${this.signal.reason}`));
    });
  }
  /** A handler that is at work when its process is killed from within. */
  async suicide(): Promise<void> {
    this.self.process().kill('killed');
    await new Promise(() => undefined);
  }
  override async info(message: unknown): Promise<void> {
    await new Promise(setImmediate);
    if (typeof message === 'number') this.#sum += message;
    else if (message === 'refuse') throw new ReplyError('not this');
    else throw new TypeError(`not a number: ${String(message)}`);
  }
  override get [sys.state](): { sum: number } {
    return { sum: this.#sum };
  }
  override set [sys.state]({ sum }: { sum: number }) {
    this.#sum = sum;
  }
}

/** Says in a file why it ends. */
export class LastWords extends Server {
  #file = '';
  #fails = false;
  override init(file: string, fails = false): void {
    this.#file = file;
    this.#fails = fails;
  }
  crash(): never {
    throw new TypeError('on purpose');
  }
  override async terminate(reason: ExitReason): Promise<void> {
    await new Promise(setImmediate);
    writeFileSync(this.#file, describeReason(reason));
    if (this.#fails) throw new RangeError('in terminate');
  }
}

export const lastWords = workerServer(LastWords, import.meta.url);

export const numbers = workerServer(Numbers, import.meta.url);

// After the class: a thread must not start it before this is there.
const AFTER = (value: number) => value;
const { isMainThread: isMain } = await import('node:worker_threads');
