import { ReplyError } from '../process/errors.ts';
import { Server } from '../server/server.ts';
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
}

export const numbers = workerServer(Numbers, import.meta.url);

// After the class: a thread must not start it before this is there.
const AFTER = (value: number) => value;
const { isMainThread: isMain } = await import('node:worker_threads');
