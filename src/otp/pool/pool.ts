import { Address } from '../process/address.ts';
import { CallError } from '../process/errors.ts';
import { currentProcess, type Process } from '../process/process.ts';
import { named, type ServerRef } from '../server/ref.ts';
import type { Server } from '../server/server.ts';
import type { ProcessOptions } from '../server/server-process.ts';
import { type ChildOptions, type ChildSpec, child } from '../supervisor/child-spec.ts';
import { type PoolOptions, PoolServer, type PoolStatus } from './pool-server.ts';

export interface CheckoutOptions {
  /** How long to wait for a worker that is free; the default is 5 s. */
  timeoutMs?: number | undefined;
  /** Whose end gives it back; the default is the process at work, which is known until a handler's first `await`. */
  client?: Address | undefined;
}

/** A worker that is lent: `using lease = await pool.checkout()`, or dispose of it. */
export class PoolLease<T extends Server> implements Disposable {
  readonly worker: ServerRef<T>;
  readonly #giveBack: () => void;

  constructor(worker: ServerRef<T>, giveBack: () => void) {
    this.worker = worker;
    this.#giveBack = giveBack;
  }

  [Symbol.dispose](): void {
    this.#giveBack();
  }
}

/** Leads to a pool. */
export class PoolRef<T extends Server> extends Address {
  readonly #server: ServerRef<PoolServer<T>>;

  constructor(server: ServerRef<PoolServer<T>>) {
    super();
    this.#server = server;
  }

  /**
   * Runs something with a worker that nobody else has meanwhile, and gives it back, whatever comes of it.
   * @throws PoolTimeoutError, PoolFullError; CallError when there is no pool
   */
  async run<R>(work: (worker: ServerRef<T>) => R | Promise<R>, options?: CheckoutOptions): Promise<R> {
    const lease = await this.checkout(options);
    try {
      return await work(lease.worker);
    } finally {
      lease[Symbol.dispose]();
    }
  }

  /** @throws PoolTimeoutError, PoolFullError; CallError when there is no pool */
  async checkout({ timeoutMs = 5_000, client }: CheckoutOptions = {}): Promise<PoolLease<T>> {
    const holder = client ? client.process() : currentProcess();
    const pool = this.find();
    // The one that lends is the one that takes back, whoever has the pool's name then.
    if (!pool) throw new CallError(this.toString(), 'checkout', 'noproc');
    const { lease, worker } = await this.#server.within(Infinity).call('checkout', holder, timeoutMs);
    return new PoolLease(worker, () => {
      if (this.find() === pool) this.#server.cast('checkin', lease);
    });
  }

  status(): Promise<PoolStatus> {
    return this.#server.call('status');
  }

  find(): Process | undefined {
    return this.#server.find();
  }

  toString(): string {
    return this.#server.toString();
  }
}

/** The pool of this name, also after restarts. */
export function namedPool<T extends Server>(name: string): PoolRef<T> {
  return new PoolRef(named<PoolServer<T>>(name));
}

/**
 * A pool of servers as a child: `pool({ name: 'db', worker: child(Connection), size: 4, overflow: 2 })`, and then
 * `namedPool<Connection>('db').run((connection) => connection.call('query', sql))`.
 */
export function pool<T extends Server>(
  options: PoolOptions<T> & ChildOptions & ProcessOptions,
): ChildSpec<PoolRef<T>> {
  const { name, via, mailboxLimit, mailboxWatermark, startTimeoutMs, id, restart, shutdown, significant } =
    options;
  const spec = child(PoolServer<T>, {
    ...{ name, via, mailboxLimit, mailboxWatermark, startTimeoutMs, restart, significant },
    id: id ?? name ?? 'pool',
    // It stops its workers itself, each within its own time.
    shutdown: shutdown ?? 'infinity',
    args: [options],
  });
  const lead = (ref: ServerRef<PoolServer<T>> | undefined) => ref && new PoolRef(ref);
  return {
    ...spec,
    type: 'supervisor',
    start: (supervisor) => {
      const starting = spec.start(supervisor);
      return starting instanceof Promise ? starting.then(lead) : lead(starting);
    },
  };
}
