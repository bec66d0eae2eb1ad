import { Server } from '../../src/otp/server/server.ts';
import { workerServer } from '../../src/otp/worker/worker-server.ts';

/** Runs in threads. It loads no more than it needs, as every thread loads it again. */
export class Squares extends Server {
  of(n: number): number {
    return n * n;
  }
  crash(): never {
    throw new RangeError('on purpose');
  }
  spin(): void {
    for (;;);
  }
}

export const squares = workerServer(Squares, import.meta.url);
