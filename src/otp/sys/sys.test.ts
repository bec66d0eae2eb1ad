import { afterEach, expect, test } from 'vitest';
import { startAgent } from '../agent/agent.ts';
import { processTable } from '../process/process-table.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import { child } from '../supervisor/child-spec.ts';
import { startSupervisor, supervisor } from '../supervisor/supervisor.ts';
import * as sys from './index.ts';

afterEach(() => {
  for (const process of processTable.values()) process.kill('killed');
});

class Counter extends Server {
  #count = 0;
  #gate = Promise.withResolvers<void>();
  add(by: number): number {
    if (by < 0) throw new Error('negative');
    this.#count += by;
    return this.#count;
  }
  async hold(): Promise<void> {
    await this.#gate.promise;
  }
  open(): void {
    this.#gate.resolve();
  }
  soon() {
    return this.later(Promise.resolve('later'));
  }
  askItself(): Promise<unknown> {
    return sys.getState(this.self);
  }
  override get [sys.state](): number {
    return this.#count;
  }
  override set [sys.state](count: number) {
    this.#count = count;
  }
}
/** With fields that are not private. */
class Plain extends Server {
  protected names = ['a'];
  protected size = 1;
  #hidden = 0;
  read(): string {
    return `${this.names} ${this.size} ${this.#hidden}`;
  }
}

test('state is what the accessor gives, and may be replaced', async () => {
  const counter = await start(Counter);
  await counter.call('add', 5);
  const count: number = await sys.getState(counter);
  expect(count).toBe(5);
  expect(await sys.replaceState(counter, (value) => value * 2)).toBe(10);
  expect(await counter.call('add', 1)).toBe(11);
  const failed = sys.replaceState(counter, () => {
    throw new Error('no');
  });
  await expect(failed).rejects.toThrow('no');
  expect(await counter.call('add', 0)).toBe(11);
  // @ts-expect-error the state is a number
  expect(await sys.replaceState(counter, () => 'x')).toBe('x');
});

test('without an accessor it is the fields that are not #private', async () => {
  const plain = await start(Plain);
  expect(await sys.getState(plain)).toEqual({ names: ['a'], size: 1 });
  await sys.replaceState(plain, (fields) => ({ ...(fields as object), size: 2 }));
  expect(await plain.call('read')).toBe('a 2 0');
  const agent = await startAgent(() => 7);
  expect(await sys.getStatus(agent)).toMatchObject({ label: 'AgentServer', state: 7 });
});

test('a suspended process answers sys alone; calls wait, and are answered after resume', async () => {
  const counter = await start(Counter);
  await sys.suspend(counter);
  let answered = false;
  const call = counter.call('add', 1).finally(() => {
    answered = true;
  });
  counter.cast('add', 1);
  expect(await sys.getState(counter)).toBe(0);
  expect(await sys.getStatus(counter)).toMatchObject({ status: 'suspended', mailboxLength: 2, state: 0 });
  expect(answered).toBe(false);
  await expect(counter.within(1).call('add', 1)).rejects.toThrow('within 1 ms');
  await sys.resume(counter);
  expect(await call).toBe(1);
  expect(await sys.getState(counter)).toBe(3);
});

test('a suspended process can be ended, and who waits for it learns it', async () => {
  const counter = await start(Counter);
  await sys.suspend(counter);
  const call = counter.call('add', 1);
  counter.exit('shutdown');
  await expect(call).rejects.toThrow('shutdown');
  await expect(sys.getState(counter)).rejects.toThrow("'getState': shutdown");
  expect(() => sys.statistics(counter)).toThrow('noproc');
  expect(() => sys.trace(counter)).toThrow('noproc');
});

test('a process that asks itself is told so, instead of waiting for itself', async () => {
  const counter = await start(Counter);
  await expect(counter.call('askItself')).rejects.toThrow('cannot ask itself');
});

test('a trace shows what comes in and goes out, in order, up to its limit', async () => {
  const counter = await start(Counter);
  const trace = sys.trace(counter, { limit: 7 });
  expect(counter.find()?.tracer).toBeDefined();
  await counter.call('add', 2);
  counter.cast('add', 3);
  counter.send('hello');
  await sys.getState(counter);
  expect(await counter.call('soon')).toBe('later');
  await counter.call('add', 1);
  expect(trace.over).toBe('limit');
  expect(counter.find()?.tracer).toBeUndefined();
  const seen: unknown[] = [];
  for await (const { at, ...event } of trace) {
    expect(at).toBeGreaterThan(0);
    seen.push(event);
  }
  const tookMs = expect.any(Number);
  expect(seen).toEqual([
    { type: 'in', kind: 'call', name: 'add', args: [2] },
    { type: 'out', kind: 'call', name: 'add', answer: 2, tookMs },
    { type: 'in', kind: 'cast', name: 'add', args: [3] },
    { type: 'out', kind: 'cast', name: 'add', answer: undefined, tookMs },
    { type: 'in', kind: 'info', name: '', args: ['hello'] },
    { type: 'out', kind: 'info', name: '', answer: undefined, tookMs },
    { type: 'in', kind: 'call', name: 'soon', args: [] },
  ]);
});

test('a trace that waits is woken, by events and by the end of the process', async () => {
  const counter = await start(Counter);
  const trace = sys.trace(counter);
  const next = trace.next();
  counter.cast('add', -1);
  expect((await next).value).toMatchObject({ type: 'in', name: 'add' });
  const rest: unknown[] = [];
  for await (const event of trace) rest.push(event.type);
  expect(rest).toEqual(['error']);
  expect(trace.over).toBe('process-ended');
});

test('two traces do not disturb each other; the message at work when one begins is not half shown', async () => {
  const counter = await start(Counter);
  const first = sys.trace(counter);
  const held = counter.call('hold');
  expect((await first.next()).value).toMatchObject({ type: 'in', name: 'hold' });
  const second = sys.trace(counter);
  const server = counter.find() as unknown as { server: Counter };
  server.server.open();
  await held;
  await counter.call('add', 1);
  expect((await first.next()).value).toMatchObject({ type: 'out', name: 'hold' });
  expect((await second.next()).value).toMatchObject({ type: 'in', name: 'add' });
  for await (const { type } of first) {
    if (type === 'out') break;
  }
  expect([first.over, second.over]).toEqual(['stopped', undefined]);
  second.stop();
  expect(counter.find()?.tracer).toBeUndefined();
  expect(counter.find()?.possessions?.size).toBe(0);
});

test('processes are listed with all that matters, and as a tree', async () => {
  const top = await startSupervisor(
    supervisor({
      name: 'top',
      children: [child(Counter, { name: 'one' }), supervisor({ id: 'inner', children: [child(Plain)] })],
    }),
  );
  const counter = processTable.values().find(({ name }) => name === 'one')?.id;
  const list = sys.processes();
  expect(list.map(({ name, label }) => name ?? label)).toEqual(['top', 'one', 'Supervisor', 'Plain']);
  expect(list[1]).toEqual({
    id: counter,
    name: 'one',
    label: 'Counter',
    parent: list[0]?.id,
    status: 'running',
    mailboxLength: 0,
    handled: 0,
    busyMs: 0,
    current: undefined,
    links: [list[0]?.id],
  });
  const [root, ...others] = sys.tree();
  expect(others).toEqual([]);
  expect(root?.children.map(({ label, children }) => [label, children.length])).toEqual([
    ['Counter', 0],
    ['Supervisor', 1],
  ]);
  await top.stop();
  expect(sys.tree()).toEqual([]);
});

test('the message at work, and how many wait behind it', async () => {
  const counter = await start(Counter);
  await counter.call('add', 1);
  const trace = sys.trace(counter);
  const held = counter.call('hold');
  counter.cast('add', 1);
  await trace.next();
  expect(sys.processes()[0]).toMatchObject({
    current: { kind: 'call', name: 'hold' },
    mailboxLength: 1,
    handled: 2,
  });
  expect(sys.statistics(counter)).toMatchObject({ received: 3, handled: 2, waiting: 1 });
  (counter.find() as unknown as { server: Counter }).server.open();
  await held;
  await counter.call('add', 1);
  expect(sys.statistics(counter).busyMs).toBeGreaterThan(0);
});
