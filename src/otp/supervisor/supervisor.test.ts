import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Address } from '../process/address.ts';
import { processTable } from '../process/process-table.ts';
import type { ExitReason } from '../process/reason.ts';
import { onReport } from '../process/reports.ts';
import { named } from '../server/ref.ts';
import { Server } from '../server/server.ts';
import { child } from './child-spec.ts';
import { namedSupervisor, type SupervisorRef, startSupervisor, supervisor } from './supervisor.ts';

let log: string[] = [];
let before = 0;
/** What `init` of a name does instead of succeeding. */
const refusing = new Map<string, number>();

beforeEach(() => {
  log = [];
  refusing.clear();
  before = processTable.size;
});
// Every test stops what it starts; a process that is left over is a leak.
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  expect(processTable.size).toBe(before);
});

class Worker extends Server {
  #id = '';
  override init(id: string): unknown {
    const times = refusing.get(id) ?? 0;
    if (times > 0) {
      refusing.set(id, times - 1);
      log.push(`!${id}`);
      throw new Error(`${id} refuses`);
    }
    this.#id = id;
    log.push(`+${id}`);
    return undefined;
  }
  ping(): string {
    return this.#id;
  }
  crash(): void {
    throw new Error('crashed');
  }
  finish(): void {
    this.stop('normal');
  }
  override terminate(reason: ExitReason): void {
    log.push(`-${this.#id}:${reason instanceof Error ? reason.message : String(reason)}`);
  }
}
/** Takes its time for everything. */
class Slow extends Worker {
  override async init(id: string): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    super.init(id);
  }
  override async terminate(reason: ExitReason): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    super.terminate(reason);
  }
}
class Stubborn extends Worker {
  override terminate(): Promise<void> {
    log.push('-stubborn');
    return new Promise(() => {});
  }
}

type Settings = Omit<NonNullable<Parameters<typeof child<Worker>>[1]>, 'args'>;
const worker = (id: string, settings: Settings = {}, kind: typeof Worker = Worker) =>
  child(kind, { name: id, args: [id], ...settings });
const settle = () => new Promise((resolve) => setImmediate(resolve));
const crash = async (id: string): Promise<void> => {
  named<Worker>(id).cast('crash');
  await settle();
};
const take = () => log.splice(0);
const statuses = async (top: SupervisorRef) =>
  (await top.children()).map(({ id, status, restarts }) => `${id} ${status} ${restarts}`);

test.each([Worker, Slow])('starts in order, stops in the reverse order (%o)', async (kind) => {
  const top = await startSupervisor(
    supervisor({ children: ['a', 'b', 'c'].map((id) => worker(id, {}, kind)) }),
  );
  expect(take()).toEqual(['+a', '+b', '+c']);
  expect(await top.count()).toEqual({ specs: 3, active: 3, supervisors: 0, workers: 3 });
  expect(await top.stop()).toBe('normal');
  expect(take()).toEqual(['-c:shutdown', '-b:shutdown', '-a:shutdown']);
});

test.each([Worker, Slow])('a failed init unwinds what was started (%o)', async (kind) => {
  refusing.set('c', 1);
  const spec = supervisor({ name: 'top', children: ['a', 'b', 'c', 'd'].map((id) => worker(id, {}, kind)) });
  await expect(startSupervisor(spec)).rejects.toThrow(
    'top did not start: StartError: Worker did not start: Error: c refuses'.replace('Worker', kind.name),
  );
  expect(take()).toEqual(['+a', '+b', '!c', '-b:shutdown', '-a:shutdown']);
});

test.each([
  ['one_for_one', Worker, ['-b:crashed', '+b']],
  ['rest_for_one', Worker, ['-b:crashed', '-d:shutdown', '-c:shutdown', '+b', '+c', '+d']],
  [
    'one_for_all',
    Worker,
    ['-b:crashed', '-d:shutdown', '-c:shutdown', '-a:shutdown', '+a', '+b', '+c', '+d'],
  ],
  ['rest_for_one', Slow, ['-b:crashed', '-d:shutdown', '-c:shutdown', '+b', '+c', '+d']],
] as const)('%s (%o)', async (strategy, kind, expected) => {
  const top = await startSupervisor(
    supervisor({ strategy, children: ['a', 'b', 'c', 'd'].map((id) => worker(id, {}, kind)) }),
  );
  take();
  named<Worker>('b').cast('crash');
  await vi.waitFor(() => expect(log).toEqual(expected), 10_000);
  expect(await named<Worker>('b').call('ping')).toBe('b');
  await top.stop();
});

test('permanent, transient and temporary: after a crash, and after an orderly end', async () => {
  const top = await startSupervisor(
    supervisor({
      maxRestarts: 10,
      children: (['permanent', 'transient', 'temporary'] as const).map((restart) =>
        worker(restart, { restart }),
      ),
    }),
  );
  for (const id of ['permanent', 'transient', 'temporary']) await crash(id);
  expect(await statuses(top)).toEqual(['permanent running 1', 'transient running 1']);
  for (const id of ['permanent', 'transient']) named<Worker>(id).cast('finish');
  await settle();
  expect(await statuses(top)).toEqual(['permanent running 2', 'transient stopped 1']);
  await top.stop();
});

test('what stops with its group starts with it; what is temporary is forgotten', async () => {
  const top = await startSupervisor(
    supervisor({
      strategy: 'one_for_all',
      children: [worker('a'), worker('b', { restart: 'temporary' }), worker('c', { restart: 'transient' })],
    }),
  );
  named<Worker>('c').cast('finish');
  await settle();
  take();
  await crash('a');
  expect(take()).toEqual(['-a:crashed', '-b:shutdown', '+a', '+c']);
  expect(await statuses(top)).toEqual(['a running 1', 'c running 1']);
  await top.stop();
});

test('one restart too many: it ends with shutdown, its own supervisor decides', async () => {
  const given: string[] = [];
  const off = onReport((event) => {
    if (event.kind === 'supervisor') given.push(`${event.what} ${event.child}`);
  });
  const inner = supervisor({ id: 'inner', maxRestarts: 1, children: [worker('a'), worker('b')] });
  const top = await startSupervisor(supervisor({ maxRestarts: 1, children: [inner] }));
  await crash('b');
  take();
  await crash('b');
  expect(take()).toEqual(['-b:crashed', '-a:shutdown', '+a', '+b']);
  expect(await statuses(top)).toEqual(['inner running 1']);
  await crash('a');
  await crash('a');
  expect(await top.ended()).toBe('shutdown');
  off();
  expect(given.filter((line) => line.startsWith('reached'))).toEqual([
    'reached_max_restart_intensity b',
    'reached_max_restart_intensity a',
    'reached_max_restart_intensity inner',
  ]);
});

test('restarts long ago do not count', async () => {
  const clock = vi.spyOn(performance, 'now');
  const top = await startSupervisor(supervisor({ maxRestarts: 1, maxSeconds: 1, children: [worker('a')] }));
  for (const at of [10_000, 11_001, 12_002]) {
    clock.mockReturnValue(at);
    await crash('a');
  }
  expect(await statuses(top)).toEqual(['a running 3']);
  clock.mockReturnValue(13_002);
  named<Worker>('a').cast('crash');
  expect(await top.ended()).toBe('shutdown');
});

test('a restart that fails counts, and is tried again', async () => {
  const top = await startSupervisor(supervisor({ maxRestarts: 3, children: [worker('a')] }));
  refusing.set('a', 2);
  take();
  await crash('a');
  expect(take()).toEqual(['-a:crashed', '!a', '!a', '+a']);
  refusing.set('a', 9);
  await crash('a');
  expect(take()).toEqual(['-a:crashed']);
  expect(top.alive).toBe(false);
});

test('rest_for_one goes on from the child whose restart failed', async () => {
  const top = await startSupervisor(
    supervisor({ strategy: 'rest_for_one', children: ['a', 'b', 'c'].map((id) => worker(id)) }),
  );
  refusing.set('b', 1);
  take();
  await crash('a');
  expect(take()).toEqual(['-a:crashed', '-c:shutdown', '-b:shutdown', '+a', '!b', '+b', '+c']);
  await top.stop();
});

test('a child that does not stop in time is killed; brutal does not ask', async () => {
  const top = await startSupervisor(
    supervisor({
      children: [
        worker('a'),
        worker('brutal', { shutdown: 'brutal' }),
        worker('stubborn', { shutdown: 5 }, Stubborn),
      ],
    }),
  );
  take();
  await top.stop();
  expect(take()).toEqual(['-stubborn', '-a:shutdown']);
});

test('nothing interleaves: what is asked while a child starts waits', async () => {
  const top = await startSupervisor(supervisor({ children: [] }));
  const order: string[] = [];
  await Promise.all([
    top.startChild(worker('slow', {}, Slow)).then(() => order.push('slow')),
    top.startChild(worker('fast')).then(() => order.push('fast')),
    top.count().then(({ active }) => order.push(`count ${active}`)),
  ]);
  expect(order).toEqual(['slow', 'fast', 'count 2']);
  await top.stop();
});

test('terminate, restart, delete, start by id', async () => {
  const top = await startSupervisor(supervisor({ children: [worker('a'), worker('b')] }));
  await expect(top.deleteChild('a')).rejects.toMatchObject({ code: 'running' });
  await expect(top.restartChild('a')).rejects.toMatchObject({ code: 'running' });
  await expect(top.terminateChild('x')).rejects.toMatchObject({ code: 'not-found' });
  await expect(top.startChild(worker('a'))).rejects.toMatchObject({ code: 'already-started' });
  await top.terminateChild('a');
  await top.terminateChild('a');
  await expect(top.startChild(worker('a'))).rejects.toMatchObject({ code: 'already-present' });
  refusing.set('a', 1);
  await expect(top.restartChild('a')).rejects.toMatchObject({ code: 'start-failed' });
  expect((await top.restartChild('a'))?.alive).toBe(true);
  await top.terminateChild('a');
  await top.deleteChild('a');
  const ref = await top.startChild(worker('a'));
  expect(await ref?.call('ping')).toBe('a');
  expect(await statuses(top)).toEqual(['b running 0', 'a running 0']);
  refusing.set('c', 1);
  await expect(top.startChild(worker('c'))).rejects.toMatchObject({ code: 'start-failed' });
  expect((await top.count()).specs).toBe(2);
  take();
  await top.stop();
  expect(take()).toEqual(['-a:shutdown', '-b:shutdown']);
});

test('a temporary child that is terminated is forgotten', async () => {
  const top = await startSupervisor(supervisor({ children: [worker('a', { restart: 'temporary' })] }));
  await top.terminateChild('a');
  expect(await top.children()).toEqual([]);
  await top.stop();
});

test.each([
  ['any_significant', ['a'], true],
  ['all_significant', ['a'], false],
  ['all_significant', ['a', 'b'], true],
  ['any_significant', ['c'], false],
] as const)('autoShutdown %s: %o', async (autoShutdown, ends, over) => {
  const significant = { significant: true, restart: 'transient' } as const;
  const top = await startSupervisor(
    supervisor({
      autoShutdown,
      children: [worker('a', significant), worker('b', significant), worker('c', { restart: 'temporary' })],
    }),
  );
  for (const id of ends) {
    named<Worker>(id).cast('finish');
    await settle();
  }
  expect(top.alive).toBe(!over);
  await top.stop();
});

test('a significant child that is terminated by hand shuts nothing down', async () => {
  const significant = { significant: true, restart: 'transient' } as const;
  const top = await startSupervisor(
    supervisor({ autoShutdown: 'any_significant', children: [worker('a', significant)] }),
  );
  await top.terminateChild('a');
  expect(await statuses(top)).toEqual(['a stopped 0']);
  await top.stop();
});

test.each([
  [{ children: [worker('a'), worker('a')] }, "two children have the id 'a'"],
  [
    { children: [worker('a', { significant: true })], autoShutdown: 'any_significant' as const },
    'cannot be significant',
  ],
  [{ children: [worker('a', { significant: true, restart: 'temporary' as const })] }, 'autoShutdown'],
  [{ children: [], maxRestarts: -1 }, 'maxRestarts'],
  [{ children: [], backoff: { minMs: 5, maxMs: 1 } }, 'backoff'],
  [{ children: [worker('a', { shutdown: -1 })] }, 'shutdown'],
])('a spec that makes no sense is refused (%#)', (options, message) => {
  expect(() => supervisor(options)).toThrow(message);
});

test('back-off: the child waits, the others are served; each wait is longer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const top = await startSupervisor(
    supervisor({
      maxRestarts: 100,
      backoff: { minMs: 10, maxMs: 60_000 },
      children: [worker('a'), worker('b')],
    }),
  );
  for (const [i, ms] of [10, 20, 40].entries()) {
    await crash('a');
    await vi.advanceTimersByTimeAsync(ms - 1);
    expect((await statuses(top))[0]).toBe(`a restarting ${i}`);
    await expect(top.restartChild('a')).rejects.toMatchObject({ code: 'restarting' });
    expect(await named<Worker>('b').call('ping')).toBe('b');
    await vi.advanceTimersByTimeAsync(1);
    expect((await statuses(top))[0]).toBe(`a running ${i + 1}`);
  }
  await crash('a');
  await top.terminateChild('a');
  await vi.advanceTimersByTimeAsync(1_000);
  expect((await statuses(top))[0]).toBe('a stopped 3');
  await top.stop();
});

test('the end of its parent is its own', async () => {
  const top = await startSupervisor(
    supervisor({ children: [supervisor({ name: 'inner', children: [worker('a')] })] }),
  );
  const inner = namedSupervisor('inner').ended();
  take();
  top.exit('kill');
  expect(await top.ended()).toBe('killed');
  expect(await inner).toBe('killed');
  expect(take()).toEqual(['-a:shutdown']);
});

test('killed while a child starts: the child does not stay', async () => {
  const top = await startSupervisor(supervisor({ children: [] }));
  const starting: Promise<Address | undefined> = top.startChild(worker('slow', {}, Slow));
  await Promise.resolve();
  top.exit('kill');
  await expect(starting).rejects.toThrow('killed');
  await settle();
});

test('types: a child is what its class says', async () => {
  // @ts-expect-error args are missing
  child(Worker);
  // @ts-expect-error args are of another type
  child(Worker, { args: [1] });
  // @ts-expect-error no such restart
  worker('a', { restart: 'sometimes' });
  const top = await startSupervisor(supervisor({ children: [] }));
  const ref = await top.startChild(worker('a'));
  // @ts-expect-error no such message
  await expect(ref?.call('pong')).rejects.toThrow("no public method 'pong'");
  await top.stop();
});
