import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { processTable } from '../process/process-table.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import { startSupervisor, supervisor } from '../supervisor/supervisor.ts';
import { processes } from '../sys/index.ts';
import { Task } from './task.ts';
import { namedTaskSupervisor, taskSupervisor } from './task-supervisor.ts';

let before = 0;
beforeEach(() => {
  before = processTable.size;
});
afterEach(() => expect(processTable.size).toBe(before));

const never = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
const deaf = () => new Promise<never>(() => {});
const fails = () => Promise.reject(new Error('no luck'));

class Owner extends Server {
  task: Task<unknown> | undefined;
  begin(work: (signal: AbortSignal) => unknown): void {
    this.task = Task.async(work);
  }
  keep(work: () => unknown, tasks: Task<unknown>[]): void {
    tasks.push(Task.async(work));
  }
  async beginLater(work: (signal: AbortSignal) => unknown): Promise<void> {
    await null;
    this.task = Task.async(work, { owner: this.self });
  }
  async supervised(work: (signal: AbortSignal) => unknown, link: boolean): Promise<boolean> {
    const tasks = namedTaskSupervisor('tasks');
    const task = await (link ? tasks.async(work) : tasks.asyncNoLink(work));
    return (await task.yield(60_000))?.ok ?? false;
  }
  crash(): void {
    throw new Error('crashed');
  }
}

test('await gives the result, or what it died of', async () => {
  expect(await Task.async(() => 7).await()).toBe(7);
  const failing = Task.async(fails);
  await expect(failing.await()).rejects.toMatchObject({ code: 'call-failed', cause: { message: 'no luck' } });
});

test('await that takes too long kills the task and aborts its signal', async () => {
  let aborted = false;
  const task = Task.async((signal) => {
    signal.addEventListener('abort', () => {
      aborted = true;
    });
    return deaf();
  });
  await expect(task.await(5)).rejects.toMatchObject({ code: 'call-timeout' });
  expect([task.alive, aborted]).toEqual([false, true]);
});

test('yield may be asked again', async () => {
  let finish: (value: string) => void = () => {};
  const task = Task.async(() => new Promise<string>((resolve) => (finish = resolve)));
  expect(await task.yield(1)).toBeUndefined();
  finish('done');
  expect(await task.yield()).toEqual({ ok: true, value: 'done' });
  expect(await task.yield()).toEqual({ ok: true, value: 'done' });
  expect(await Task.async(fails).yield()).toMatchObject({ ok: false, reason: { message: 'no luck' } });
});

test('shutdown asks, then kills', async () => {
  expect(await Task.async(never).shutdown()).toBeUndefined();
  expect(await Task.async(deaf).shutdown(5)).toBeUndefined();
  expect(await Task.async(deaf).shutdown('brutal')).toBeUndefined();
  const done = Task.async(() => 1);
  await done.await();
  expect(await done.shutdown()).toEqual({ ok: true, value: 1 });
});

test.each(['begin', 'beginLater'] as const)('a task and its owner share their end (%s)', async (how) => {
  const owner = await start(Owner);
  let aborted = false;
  await owner.call(how, async (signal) => {
    signal.addEventListener('abort', () => {
      aborted = true;
    });
    return deaf();
  });
  await new Promise((resolve) => setImmediate(resolve));
  owner.exit('kill');
  await new Promise((resolve) => setImmediate(resolve));
  expect(aborted).toBe(true);
  // It ignores its signal, and has ended all the same.
  expect(processTable.size).toBe(before);
  const other = await start(Owner);
  await other.call(how, fails);
  expect(await other.ended()).toMatchObject({ message: 'no luck' });
});

describe('a function that ignores its signal', () => {
  let finish: (value: string) => void;
  const deafUntilDone = () => new Promise<string>((resolve) => (finish = resolve));
  let earlier: Set<number>;
  beforeEach(() => {
    earlier = new Set(processes().map(({ id }) => id));
  });
  const abandoned = () => processes().filter(({ status, id }) => status === 'abandoned' && !earlier.has(id));

  test.each(['kill', 'shutdown', new Error('crashed')] as const)(
    'is seen when its owner has ended (%s), and has no say',
    async (reason) => {
      const owner = await start(Owner);
      const tasks: Task<unknown>[] = [];
      await owner.call('keep', deafUntilDone, tasks);
      const [task] = tasks;
      await new Promise(setImmediate);
      owner.exit(reason);
      const outcome = await task?.yield();
      expect(outcome).toEqual({ ok: false, reason: reason === 'kill' ? 'killed' : reason });
      expect(abandoned()).toMatchObject([
        { label: 'Task(deafUntilDone)', parent: owner.process().id, status: 'abandoned' },
      ]);
      finish('late');
      await new Promise(setImmediate);
      expect(abandoned()).toEqual([]);
      // It was killed, and that is what counts.
      expect(await task?.yield()).toEqual(outcome);
    },
  );

  test('is seen after a kill, until it fails, which is no crash', async () => {
    let fail: (error: Error) => void = () => {};
    const task = Task.async(() => new Promise<never>((_, reject) => (fail = reject)));
    expect(await task.yield(1)).toBeUndefined();
    expect(await task.shutdown(5)).toBeUndefined();
    expect(abandoned()).toMatchObject([{ label: 'Task', status: 'abandoned' }]);
    fail(new Error('late'));
    await new Promise(setImmediate);
    expect(abandoned()).toEqual([]);
  });

  test('is not kept when it waits for what cannot come', async () => {
    const tasks = Array.from({ length: 100 }, () => Task.async(deaf));
    await new Promise(setImmediate);
    for (const task of tasks.splice(0)) task.exit('kill');
    expect(abandoned()).toHaveLength(100);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await vi.waitFor(() => {
      collect();
      // The last may be on the stack.
      expect(abandoned().length).toBeLessThan(10);
    }, 10_000);
  });

  test('may clean up when its owner lives, and its answer counts', async () => {
    const task = Task.async(
      (signal) => new Promise<string>((resolve) => signal.addEventListener('abort', () => resolve('clean'))),
    );
    expect(await task.yield(1)).toBeUndefined();
    expect(await task.shutdown()).toEqual({ ok: true, value: 'clean' });
  });
});

test('under a supervisor: linked to the owner, or not', async () => {
  const top = await startSupervisor(supervisor({ children: [taskSupervisor({ name: 'tasks' })] }));
  const owner = await start(Owner);
  expect(await owner.call('supervised', fails, false)).toBe(false);
  expect(await owner.call('supervised', () => 1, true)).toBe(true);
  const ended = owner.ended();
  // The handler at work finishes; then its owner goes as its task went.
  expect(await owner.call('supervised', fails, true)).toBe(false);
  expect(await ended).toMatchObject({ message: 'no luck' });
  const tasks = namedTaskSupervisor('tasks');
  const task = await tasks.asyncNoLink(never);
  expect((await tasks.children()).map(({ ref }) => String(ref))).toEqual([String(task)]);
  await top.stop();
  expect(task.alive).toBe(false);
});

test('a stream of tasks: order, how many at a time, failures, leaving early', async () => {
  const tasks = await startSupervisor(taskSupervisor());
  let running = 0;
  let most = 0;
  const finish: (() => void)[] = [];
  const work = async (item: number): Promise<number> => {
    most = Math.max(most, ++running);
    // The second of each pair ends first.
    if (item % 2 === 0) await new Promise<void>((resolve) => finish.push(resolve));
    else finish.pop()?.();
    running--;
    if (item === 3) throw new Error('three');
    return item;
  };
  const got: unknown[] = [];
  for await (const outcome of tasks.asyncStream([0, 1, 2, 3], work, { maxConcurrency: 2 }))
    got.push(outcome.ok ? outcome.value : (outcome.reason as Error).message);
  expect(got).toEqual([0, 1, 2, 'three']);
  expect(most).toBe(2);
  const unordered: unknown[] = [];
  let goOn = (_item: number): void => {};
  const slow = new Promise<number>((resolve) => {
    goOn = resolve;
  });
  for await (const outcome of tasks.asyncStream([1, 0], (item) => (item === 1 ? slow : item), {
    maxConcurrency: 2,
    ordered: false,
  })) {
    unordered.push(outcome.ok && outcome.value);
    goOn(1);
  }
  expect(unordered).toEqual([0, 1]);
  for await (const outcome of tasks.asyncStream([1, 2, 3], deaf, { maxConcurrency: 3, timeoutMs: 5 })) {
    expect(outcome).toEqual({ ok: false, reason: 'killed' });
    break;
  }
  expect(await tasks.children()).toEqual([]);
  await tasks.stop();
});
