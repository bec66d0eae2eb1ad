import { Down, type Monitor } from '../process/monitor.ts';
import type { Process } from '../process/process.ts';
import { describeReason, type ExitReason, isOrderly } from '../process/reason.ts';
import { Exit } from '../process/signals.ts';
import { isThenable } from '../process/thenable.ts';
import type { ServerRef } from '../server/ref.ts';
import { refOf } from '../server/ref-of.ts';
import { Server } from '../server/server.ts';
import type { ChildSpec } from '../supervisor/child-spec.ts';
import { Intensity, type IntensityOptions } from '../supervisor/intensity.ts';
import { shutDown } from '../supervisor/shut-down.ts';
import { PoolError, PoolFullError, PoolTimeoutError } from './errors.ts';

/** When more workers than this have crashed in so many seconds, the pool gives up, and its supervisor decides. */
export interface PoolOptions<T extends Server> extends IntensityOptions {
  /** What each worker is. Without a name: there are several. Its `restart` has no meaning here: it is always replaced. */
  worker: ChildSpec<ServerRef<T>>;
  /** So many are always there. */
  size: number;
  /** So many more may be made when all are busy; they stop when nobody waits for them. The default is none. */
  overflow?: number | undefined;
  /** Which idle one is next: the last that was busy ('lifo', the default), or the one that rested longest. */
  strategy?: 'lifo' | 'fifo' | undefined;
  /** How many may wait for a worker; the default is any number. */
  maxWaiting?: number | undefined;
}

export interface PoolStatus {
  idle: number;
  busy: number;
  /** On their way up. */
  starting: number;
  waiting: number;
}

interface Lease<T extends Server> {
  worker: ServerRef<T>;
  monitor: Monitor | undefined;
}

interface Waiter<T extends Server> {
  client: Process | undefined;
  monitor: Monitor | undefined;
  timer: NodeJS.Timeout | undefined;
  lend(lease: number, worker: ServerRef<T>): void;
  refuse(error: Error): void;
}

const NONE: PoolOptions<never> = {
  size: 0,
  worker: {
    ...{ id: '', restart: 'temporary', shutdown: 'brutal', significant: false, type: 'worker' },
    start: () => undefined,
  },
};

/** The process behind a `PoolRef`: lends each worker to one client at a time. */
export class PoolServer<T extends Server> extends Server {
  // Until `init` has its own.
  #options: PoolOptions<T> = NONE;
  #intensity = new Intensity({});
  #idle: ServerRef<T>[] = [];
  #starting = 0;
  readonly #workers = new Map<Process, ServerRef<T>>();
  readonly #leases = new Map<number, Lease<T>>();
  readonly #waiting = new Set<Waiter<T>>();
  #lastLease = 0;

  override async init(options: PoolOptions<T>): Promise<void> {
    const { size, overflow = 0, maxWaiting = Infinity } = options;
    if (!(Number.isInteger(size) && size > 0 && overflow >= 0 && maxWaiting >= 0))
      throw new RangeError(
        `a pool of ${size} and ${overflow} more workers, for which ${maxWaiting} may wait`,
      );
    this.trapExit = true;
    this.#options = options;
    this.#intensity = new Intensity(options);
    await Promise.all(Array.from({ length: size }, () => this.#startWorker()));
  }

  /** Lends a worker; later, if none is free. `client` gives it back by its end, too. */
  checkout(client: Process | undefined, timeoutMs: number) {
    // Who asked may have ended while the question waited here: there is nobody to lend to.
    if (client && !client.alive) return this.later(new Promise<never>(() => undefined));
    return this.later(this.#lendOrWait(client, timeoutMs));
  }

  checkin(lease: number): void {
    const given = this.#leases.get(lease);
    // Its client had ended, or its worker had: it is back already.
    if (!given) return;
    this.#leases.delete(lease);
    given.monitor?.[Symbol.dispose]();
    this.#free(given.worker);
  }

  status(): PoolStatus {
    return {
      idle: this.#idle.filter(({ alive }) => alive).length,
      busy: this.#leases.size,
      starting: this.#starting,
      waiting: this.#waiting.size,
    };
  }

  override info(message: unknown): void {
    if (message instanceof Exit) this.#workerEnded(message);
    else if (message instanceof Down) this.#clientEnded(message.monitor);
  }

  override async terminate(reason: ExitReason): Promise<void> {
    for (const waiter of [...this.#waiting])
      this.#dismiss(waiter).refuse(new PoolError(`the pool has ended: ${describeReason(reason)}`));
    await Promise.all([...this.#workers.keys()].map((worker) => this.#stopWorker(worker)));
  }

  #lendOrWait(client: Process | undefined, timeoutMs: number) {
    return new Promise<{ lease: number; worker: ServerRef<T> }>((resolve, reject) => {
      const waiter: Waiter<T> = {
        client,
        monitor: undefined,
        timer: undefined,
        lend: (lease, worker) => resolve({ lease, worker }),
        refuse: reject,
      };
      const worker = this.#nextIdle();
      if (worker) {
        this.#lend(worker, waiter);
        return;
      }
      const { size, overflow = 0, maxWaiting = Infinity } = this.#options;
      const grows = this.#total < size + overflow;
      // One that a new worker is made for waits for that one only.
      if (this.#waiting.size - this.#starting >= maxWaiting && !grows) {
        reject(new PoolFullError(String(this.self), maxWaiting));
        return;
      }
      if (client) waiter.monitor = this.monitor(refOf(client));
      if (timeoutMs !== Infinity) {
        const late = () => this.#dismiss(waiter).refuse(new PoolTimeoutError(String(this.self), timeoutMs));
        waiter.timer = setTimeout(late, timeoutMs);
      }
      this.#waiting.add(waiter);
      if (grows) this.#grow();
    });
  }

  get #total(): number {
    return this.#workers.size + this.#starting;
  }

  /** One that has ended is skipped: the message that says so is on its way. */
  #nextIdle(): ServerRef<T> | undefined {
    const next = () => (this.#options.strategy === 'fifo' ? this.#idle.shift() : this.#idle.pop());
    for (let worker = next(); worker; worker = next()) if (worker.alive) return worker;
    return undefined;
  }

  #lend(worker: ServerRef<T>, waiter: Waiter<T>): void {
    const lease = ++this.#lastLease;
    const monitor = waiter.monitor ?? (waiter.client && this.monitor(refOf(waiter.client)));
    this.#leases.set(lease, { worker, monitor });
    waiter.lend(lease, worker);
  }

  #dismiss(waiter: Waiter<T>, lent = false): Waiter<T> {
    this.#waiting.delete(waiter);
    clearTimeout(waiter.timer);
    if (!lent) waiter.monitor?.[Symbol.dispose]();
    return waiter;
  }

  /** It is nobody's: the next who waits gets it, or it rests, or there is one too many. */
  #free(worker: ServerRef<T>): void {
    if (!worker.alive) return;
    const [waiter] = this.#waiting;
    if (waiter) this.#lend(worker, this.#dismiss(waiter, true));
    else if (this.#workers.size > this.#options.size) void this.#stopWorker(worker.process());
    else this.#idle.push(worker);
  }

  #workerEnded({ from, reason }: Exit): void {
    const worker = this.#workers.get(from);
    if (!worker) {
      // Somebody else that is linked to the pool: as if it did not trap exits.
      if (reason !== 'normal') this.stop(reason);
      return;
    }
    this.#workers.delete(from);
    this.#idle = this.#idle.filter((idle) => idle !== worker);
    for (const [id, lease] of this.#leases) {
      if (lease.worker !== worker) continue;
      this.#leases.delete(id);
      lease.monitor?.[Symbol.dispose]();
    }
    if (!isOrderly(reason) && !this.#intensity.restart(performance.now())) {
      const { maxRestarts, maxSeconds } = this.#intensity;
      const error = `more than ${maxRestarts} workers crashed within ${maxSeconds} s, the last of ${describeReason(reason)}`;
      this.stop(new PoolError(error, { cause: reason }));
      return;
    }
    if (this.#total < this.#options.size || this.#waiting.size > this.#starting) this.#grow();
  }

  #clientEnded(monitor: Monitor): void {
    for (const waiter of this.#waiting) if (waiter.monitor === monitor) this.#dismiss(waiter);
    for (const [id, lease] of this.#leases) if (lease.monitor === monitor) this.checkin(id);
  }

  /** In the background: who wants a worker that is there must not wait for one that starts. */
  #grow(): void {
    this.#startWorker().catch((error: Error) => {
      if (this.self.alive) this.stop(error);
    });
  }

  async #startWorker(): Promise<void> {
    this.#starting++;
    try {
      const self = this.self.process();
      const starting = this.#options.worker.start(self);
      const worker = isThenable(starting) ? await starting : starting;
      if (!worker) throw new PoolError('the start of a worker found nothing to do');
      const process = worker.process();
      if (!self.alive) process.kill('killed');
      else this.#workers.set(process, worker);
      this.#free(worker);
    } finally {
      this.#starting--;
    }
  }

  async #stopWorker(worker: Process): Promise<void> {
    this.#workers.delete(worker);
    await shutDown(worker, this.self.process(), this.#options.worker.shutdown);
  }
}
