import { afterEach, expect, test, vi } from 'vitest';
import { ReplyError } from '../process/errors.ts';
import { processTable } from '../process/process-table.ts';
import type { ServerRef } from '../server/ref.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import { child } from '../supervisor/child-spec.ts';
import { startSupervisor, supervisor } from '../supervisor/supervisor.ts';
import { PoolFullError, PoolTimeoutError } from './errors.ts';
import { namedPool, type PoolRef, pool } from './pool.ts';
import type { PoolOptions } from './pool-server.ts';

class Worker extends Server {
  #busy = false;
  async work(until: Promise<unknown>): Promise<number> {
    // Nobody else has it meanwhile.
    expect(this.#busy).toBe(false);
    this.#busy = true;
    await until;
    this.#busy = false;
    return this.self.process().id;
  }
  id(): number {
    return this.self.process().id;
  }
  crash(): void {
    throw new Error('on purpose');
  }
}

afterEach(() => {
  for (const process of processTable.values()) process.kill('killed');
});

const poolOf = (options: Partial<PoolOptions<Worker>> = {}) =>
  startSupervisor(pool({ worker: child(Worker), size: 2, ...options }));
const statusOf = (ref: PoolRef<Worker>, expected: object) =>
  vi.waitFor(async () => expect(await ref.status()).toMatchObject(expected), {
    timeout: 10_000,
    interval: 1,
  });
function gate() {
  let open: (value?: unknown) => void = () => undefined;
  const promise = new Promise((resolve) => {
    open = resolve;
  });
  return { promise, open };
}
const workers = () => processTable.values().filter(({ label }) => label === 'Worker').length;

test('no more than its size run at once, all of them in turn, and what is thrown gives back, too', async () => {
  const ref = await poolOf();
  let running = 0;
  let most = 0;
  const results = await Promise.allSettled(
    Array.from({ length: 50 }, (_, i) =>
      ref.run(async (worker) => {
        most = Math.max(most, ++running);
        await worker.call('work', Promise.resolve());
        running--;
        if (i % 3 === 0) throw new Error(`no ${i}`);
        return i;
      }),
    ),
  );
  expect(most).toBe(2);
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(17);
  expect(await ref.status()).toEqual({ idle: 2, busy: 0, starting: 0, waiting: 0 });
});

test('who waits gets what is given back, first come, first served', async () => {
  const ref = await poolOf({ size: 1 });
  const lease = await ref.checkout();
  const order: number[] = [];
  const waiting = [1, 2, 3].map((i) => ref.run(() => order.push(i)));
  await statusOf(ref, { waiting: 3, busy: 1 });
  lease[Symbol.dispose]();
  lease[Symbol.dispose]();
  await Promise.all(waiting);
  expect(order).toEqual([1, 2, 3]);
  expect(await ref.status()).toMatchObject({ idle: 1, busy: 0 });
});

test('who has waited long enough goes, and takes no worker with it', async () => {
  const ref = await poolOf({ size: 1 });
  const lease = await ref.checkout();
  await expect(ref.checkout({ timeoutMs: 5 })).rejects.toBeInstanceOf(PoolTimeoutError);
  expect(await ref.status()).toMatchObject({ waiting: 0, busy: 1 });
  lease[Symbol.dispose]();
  expect(await ref.status()).toMatchObject({ idle: 1, busy: 0 });
});

test('only so many may wait', async () => {
  const ref = await poolOf({ size: 1, maxWaiting: 1 });
  const lease = await ref.checkout();
  const second = ref.checkout();
  await expect(ref.checkout()).rejects.toBeInstanceOf(PoolFullError);
  lease[Symbol.dispose]();
  (await second)[Symbol.dispose]();
});

test('overflow: more are made while all are busy, and stop when nobody waits', async () => {
  const ref = await poolOf({ size: 1, overflow: 2, maxWaiting: 0 });
  const leases = await Promise.all([ref.checkout(), ref.checkout(), ref.checkout()]);
  expect(workers()).toBe(3);
  await expect(ref.checkout()).rejects.toBeInstanceOf(PoolFullError);
  for (const lease of leases) lease[Symbol.dispose]();
  await statusOf(ref, { idle: 1, busy: 0 });
  await vi.waitFor(() => expect(workers()).toBe(1), 10_000);
});

test.each(['lifo', 'fifo'] as const)('%s', async (strategy) => {
  const ref = await poolOf({ size: 3, strategy });
  const leases = await Promise.all([ref.checkout(), ref.checkout(), ref.checkout()]);
  for (const lease of leases) lease[Symbol.dispose]();
  const next = await ref.run((worker) => worker.call('id'));
  expect(next).toBe(leases[strategy === 'lifo' ? 2 : 0]?.worker.process().id);
});

test('a worker that crashes is replaced, and who waits gets the new one', async () => {
  const ref = await poolOf({ size: 1 });
  const lease = await ref.checkout();
  const waiting = ref.run((worker) => worker.call('id'));
  const old = lease.worker.process().id;
  await lease.worker.call('crash').catch(() => undefined);
  expect(await waiting).not.toBe(old);
  lease[Symbol.dispose]();
  expect(await ref.status()).toEqual({ idle: 1, busy: 0, starting: 0, waiting: 0 });
});

test('too many crashes end the pool, and its supervisor starts another', async () => {
  const top = await startSupervisor(
    supervisor({ children: [pool({ worker: child(Worker), size: 2, maxRestarts: 2, name: 'workers' })] }),
  );
  const ref = namedPool<Worker>('workers');
  const first = ref.find();
  const ended = ref.ended();
  for (let i = 0; i < 3; i++) await ref.run((worker) => worker.call('crash').catch(() => undefined));
  expect(await ended).toMatchObject({ code: 'pool-workers' });
  await vi.waitFor(() => expect(ref.find()?.status).toBe('running'), 10_000);
  expect(ref.find()).not.toBe(first);
  expect(await ref.run((worker) => worker.call('id'))).toBeTypeOf('number');
  await top.stop();
  expect(workers()).toBe(0);
});

class Client extends Server {
  #pool: PoolRef<Worker> | undefined;
  override init(ref: PoolRef<Worker>): void {
    this.#pool = ref;
  }
  async hold(held: () => void, until: Promise<unknown>): Promise<void> {
    await this.#pool?.run((worker) => {
      held();
      // No time-out: only its client's end gives it back.
      return worker.within(Infinity).call('work', until);
    });
  }
  wait(): unknown {
    return this.#pool?.checkout({ timeoutMs: Infinity });
  }
}

test('a client that dies gives back what it holds', async () => {
  const ref = await poolOf({ size: 1 });
  const client: ServerRef<Client> = await start(Client, { args: [ref] });
  const { promise, open } = gate();
  await new Promise<void>((held) => client.cast('hold', held, promise));
  expect(await ref.status()).toMatchObject({ busy: 1 });
  client.exit('kill');
  await statusOf(ref, { busy: 0, idle: 1 });
  open();
  // It gives back what it has not any more: nobody else's.
  const lease = await ref.checkout();
  await new Promise(setImmediate);
  expect(await ref.status()).toMatchObject({ busy: 1 });
  lease[Symbol.dispose]();
});

test('a client that dies while it waits is forgotten', async () => {
  const ref = await poolOf({ size: 1 });
  const lease = await ref.checkout();
  const client = await start(Client, { args: [ref] });
  client.cast('wait');
  await statusOf(ref, { waiting: 1 });
  client.exit('kill');
  await statusOf(ref, { waiting: 0 });
  lease[Symbol.dispose]();
  expect(await ref.status()).toMatchObject({ idle: 1, busy: 0 });
});

test('stops its workers with it; who waits is told', async () => {
  const ref = await poolOf({ size: 1, overflow: 1 });
  const leases = [await ref.checkout(), await ref.checkout()];
  expect(leases).toHaveLength(2);
  const waiting = ref.checkout().catch((error: unknown) => error);
  await statusOf(ref, { waiting: 1 });
  ref.process().exit('shutdown');
  expect(await ref.ended()).toBe('shutdown');
  expect(await waiting).toBeInstanceOf(Error);
  expect(workers()).toBe(0);
});

test('does not start when its workers do not', async () => {
  class Broken extends Server {
    override init(): void {
      throw new ReplyError('no');
    }
  }
  await expect(startSupervisor(pool({ worker: child(Broken), size: 2 }))).rejects.toMatchObject({
    code: 'start-failed',
  });
});
