import { ReplyError } from '../process/errors.ts';

/** No worker was free in time. The pool lives on. */
export class PoolTimeoutError extends ReplyError {
  readonly code = 'pool-timeout';
  constructor(pool: string, timeoutMs: number) {
    super(`no worker of ${pool} was free within ${timeoutMs} ms`);
  }
}

/** As many wait for a worker as the pool lets wait. */
export class PoolFullError extends ReplyError {
  readonly code = 'pool-full';
  constructor(pool: string, maxWaiting: number) {
    super(`${maxWaiting} wait for a worker of ${pool} already`);
  }
}

/** A worker has ended, and there were too many before: the reason that the pool ends with. `cause` is the last one's. */
export class PoolError extends Error {
  readonly code = 'pool-workers';
}
