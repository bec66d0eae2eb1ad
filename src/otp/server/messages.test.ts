import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  CallError,
  OverloadError,
  ReplyError,
  TimeoutError,
  UnknownMessageError,
} from '../process/errors.ts';
import { Message } from '../process/message.ts';
import { PendingCall } from '../process/pending-call.ts';
import { processTable } from '../process/process-table.ts';
import { onReport, type Report } from '../process/reports.ts';
import { named, type ServerRef } from './ref.ts';
import { Server } from './server.ts';
import { start } from './start.ts';

let reports: Report[];
let silence: () => void;
beforeEach(() => {
  reports = [];
  silence = onReport((report) => reports.push(report));
});
afterEach(() => {
  silence();
  for (const process of processTable.values()) process.kill('killed');
});
const kinds = () => reports.map(({ kind }) => kind).filter((kind) => kind !== 'progress');

/** A promise and what settles it: `Promise.withResolvers`, which Node 20 has not. */
function gate<T = void>(): { promise: Promise<T>; open(value: T): void; shut(error: unknown): void } {
  let open: (value: T) => void = () => undefined;
  let shut: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((resolve, reject) => {
    open = resolve;
    shut = reject;
  });
  return { promise, open, shut };
}

class Worker extends Server {
  readonly seen: unknown[] = [];
  #handlers = 0;

  note(what: unknown): void {
    this.seen.push(what);
  }
  read(): unknown[] {
    return [...this.seen];
  }
  /** Waits inside a handler; says when it is entered and left. */
  async hold(name: string, until: Promise<unknown>): Promise<string> {
    if (++this.#handlers > 1) throw new Error('two handlers at once');
    this.seen.push(`${name} in`);
    await until;
    this.seen.push(`${name} out`);
    this.#handlers--;
    return name;
  }
  fail(thrown: unknown): never {
    throw thrown;
  }
  async failLater(thrown: unknown): Promise<never> {
    await null;
    throw thrown;
  }
  promise<T>(answer: Promise<T>) {
    return this.later(answer);
  }
  lend<T>(thenable: PromiseLike<T>): PromiseLike<T> {
    return thenable;
  }
  callSelf(): Promise<unknown> {
    const me: ServerRef<Worker> = this.self;
    return me.call('read');
  }
  override info(message: unknown): void {
    this.seen.push(message);
  }
}

test('messages of one sender are handled in their order, whatever their kind', async () => {
  const ref = await start(Worker);
  for (let i = 0; i < 300; i += 3) {
    ref.cast('note', i);
    ref.send(i + 1);
    void ref.call('note', i + 2);
  }
  expect(await ref.call('read')).toEqual(Array.from({ length: 300 }, (_, i) => i));
});

test('handlers of one server never interleave, awaiting or not', async () => {
  const ref = await start(Worker);
  const [first, second] = [gate(), gate()];
  const one = ref.call('hold', 'one', first.promise);
  const two = ref.call('hold', 'two', second.promise);
  ref.cast('note', 'three');
  second.open();
  await new Promise(setImmediate);
  first.open();
  expect(await Promise.all([one, two])).toEqual(['one', 'two']);
  expect(await ref.call('read')).toEqual(['one in', 'one out', 'two in', 'two out', 'three']);
});

test('a thenable that is no Promise holds the mailbox like one, and its rejection ends the process', async () => {
  const ref = await start(Worker);
  const wait = gate<string>();
  // What a query builder or a promise of another realm is like.
  // biome-ignore lint/suspicious/noThenProperty: this is what is tested
  const foreign: PromiseLike<string> = { then: (...on) => wait.promise.then(...on) };
  const lent = ref.call('lend', foreign);
  ref.cast('note', 'after');
  await new Promise(setImmediate);
  const process = ref.find();
  expect(process?.mailboxLength).toBe(1);
  wait.open('answer');
  expect(await lent).toBe('answer');

  const bad = ref.call('lend', Promise.reject(new Error('query failed')));
  await expect(bad).rejects.toMatchObject({ code: 'call-failed', cause: { message: 'query failed' } });
  expect(ref.alive).toBe(false);
});

test('a call that is not answered in time is rejected, and its late answer is dropped', async () => {
  const ref = await start(Worker);
  const wait = gate();
  const slow = ref.within(20).call('hold', 'slow', wait.promise);
  await expect(slow).rejects.toThrow(TimeoutError);
  await expect(slow).rejects.toMatchObject({ code: 'call-timeout', timeoutMs: 20 });
  wait.open();
  expect(await ref.call('read')).toEqual(['slow in', 'slow out']);
  expect(() => ref.within(Number.NaN)).toThrow(RangeError);
});

test('a call fails at once when the callee dies: waiting, at work, or promised for later', async () => {
  const ref = await start(Worker);
  const patient = ref.within(Infinity);
  const promised = patient.call('promise', new Promise(() => undefined));
  const atWork = patient.call('hold', 'for ever', new Promise(() => undefined));
  const waiting = patient.call('read');
  await new Promise(setImmediate);
  ref.exit('kill');
  for (const call of [promised, atWork, waiting]) {
    await expect(call).rejects.toBeInstanceOf(CallError);
    await expect(call).rejects.toMatchObject({ reason: 'killed' });
  }
  await expect(ref.call('read')).rejects.toMatchObject({ reason: 'killed' });
  await expect(named<Worker>('nobody').call('read')).rejects.toMatchObject({ reason: 'noproc' });
  // Casts and sends to the dead are dropped, as in OTP.
  ref.cast('note', 1);
  ref.send(1);
});

test('a process that promised an answer handles other messages meanwhile', async () => {
  const ref = await start(Worker);
  const answer = gate<number>();
  const call = ref.call('promise', answer.promise);
  expect(await ref.call('read')).toEqual([]);
  answer.open(7);
  expect(await call).toBe(7);
  const refused = ref.call('promise', Promise.reject(new RangeError('no')));
  await expect(refused).rejects.toThrow(RangeError);
  expect(ref.alive).toBe(true);
});

test('a server that calls itself is refused, instead of waiting for itself', async () => {
  const ref = await start(Worker);
  await expect(ref.call('callSelf')).rejects.toThrow(/a server cannot call itself/);
});

test('whatever a handler throws becomes an Error, and ends the process', async () => {
  const hostile = {
    toString(): never {
      throw new Error('no text');
    },
  };
  for (const thrown of ['text', undefined, null, 7, Symbol('s'), hostile]) {
    for (const name of ['fail', 'failLater'] as const) {
      const ref = await start(Worker);
      const call = ref.call(name, thrown);
      await expect(call).rejects.toBeInstanceOf(CallError);
      const reason = await ref.ended();
      expect(reason).toBeInstanceOf(Error);
      expect((reason as Error).cause).toBe(thrown);
    }
  }
  expect(kinds()).toEqual(Array(12).fill('crash'));
});

test('ReplyError is the answer of a call and ends nothing; without a caller it is reported', async () => {
  class NotFound extends ReplyError {}
  const ref = await start(Worker);
  const error = new NotFound('no such list');
  await expect(ref.call('fail', error)).rejects.toBe(error);
  await expect(ref.call('failLater', error)).rejects.toBe(error);
  expect(kinds()).toEqual([]);
  ref.cast('fail', error);
  ref.cast('promise', Promise.reject(new Error('nobody waits')));
  await ref.call('read');
  expect(kinds()).toEqual(['unanswered', 'unanswered']);
  expect(ref.alive).toBe(true);
});

test('unknown messages: a call is refused, a cast dropped; nothing that every object has is a message', async () => {
  const ref = (await start(Worker)) as unknown as {
    call(name: string): Promise<unknown>;
    cast(name: string): void;
    alive: boolean;
  };
  for (const name of [
    'nothing',
    'init',
    'terminate',
    'stop',
    'constructor',
    'toString',
    '__proto__',
    'seen',
  ]) {
    await expect(ref.call(name)).rejects.toThrow(UnknownMessageError);
    ref.cast(name);
  }
  expect(ref.alive).toBe(true);
});

test('a full mailbox refuses calls and casts with OverloadError, but no signal of the runtime', async () => {
  const ref = await start(Worker, { mailboxLimit: 5 });
  const wait = gate();
  const held = ref.call('hold', 'one', wait.promise);
  await new Promise(setImmediate);
  for (let i = 0; i < 5; i++) ref.cast('note', i);
  expect(() => ref.cast('note', 5)).toThrow(OverloadError);
  expect(() => ref.send(5)).toThrow(expect.objectContaining({ code: 'overload', limit: 5 }));
  await expect(ref.call('read')).rejects.toThrow(OverloadError);
  ref.find()?.admit(new Message('info', '', ['signal']));
  ref.find()?.sendAfter(0, 'timer');
  await new Promise((resolve) => setTimeout(resolve, 5));
  wait.open();
  await held;
  await new Promise(setImmediate);
  expect(await ref.call('read')).toEqual(['one in', 'one out', 0, 1, 2, 3, 4, 'signal', 'timer']);
});

test('a mailbox reports once that it is long, and once that it is no more', async () => {
  const ref = await start(Worker, { mailboxLimit: 10 });
  for (let i = 0; i < 10; i++) ref.cast('note', i);
  expect(reports.at(-1)).toMatchObject({ kind: 'long-mailbox', long: true, waiting: 8 });
  await new Promise(setImmediate);
  expect(kinds()).toEqual(['long-mailbox', 'long-mailbox']);
  expect(reports.at(-1)).toMatchObject({ long: false, waiting: 4 });
  for (let i = 0; i < 8; i++) ref.cast('note', i);
  await new Promise(setImmediate);
  expect(kinds()).toHaveLength(4);
});

test('system messages: in order while it runs, handled though it is suspended, and never its end', async () => {
  const ref = await start(Worker);
  const process = ref.find();
  if (!process) throw new Error('not there');
  const system = (work: () => unknown) =>
    new Promise((resolve, reject) => {
      const call = new PendingCall(process, 'system', 1_000, resolve, reject);
      process.deliver(new Message('system', 'state', [work], call));
    });
  ref.cast('note', 1);
  expect(await system(() => ref.find()?.handled)).toBe(2);
  process.suspend();
  ref.cast('note', 2);
  const state = system(() => 'state');
  ref.cast('note', 3);
  expect(await state).toBe('state');
  expect(process.mailboxLength).toBe(2);
  expect(process.turn(10), 'a suspended process has nothing else to do').toBe(0);
  await expect(system(() => expect.fail('a bad function'))).rejects.toThrow('a bad function');
  process.resume();
  expect(await ref.call('read')).toEqual([1, 2, 3]);
  expect(kinds()).toEqual([]);
});

test('a flood of casts keeps neither timers nor other processes out', async () => {
  class Endless extends Server {
    stopped = false;
    again(): void {
      const me: ServerRef<Endless> = this.self;
      me.cast('again');
    }
  }
  const endless = await start(Endless);
  const other = await start(Worker);
  endless.cast('again');
  expect(await other.call('read')).toEqual([]);
  await new Promise((resolve) => setTimeout(resolve, 1));
  endless.exit('kill');
});

test('two that answer each other through promises keep no timer out', async () => {
  const ref = await start(Worker);
  let over = false;
  setTimeout(() => {
    over = true;
  }, 1);
  while (!over) await ref.call('read');
  expect(over).toBe(true);
});

test('a listener that throws is removed, and hurts neither the process nor the others', async () => {
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  let told = 0;
  onReport(() => {
    told++;
    throw new Error('bad backend');
  });
  const ref = await start(Worker);
  ref.cast('fail', 'x');
  expect(await ref.ended()).toMatchObject({ message: 'thrown: x' });
  expect(kinds()).toEqual(['crash']);
  expect((await warned).message).toContain('bad backend');
  expect(told).toBe(1);
});

test('handlers that take long leave timers their turn between them', async () => {
  class Heavy extends Server {
    spin(ms: number): void {
      const until = performance.now() + ms;
      while (performance.now() < until);
    }
  }
  const [heavy, other] = [await start(Heavy), await start(Heavy)];
  let turns = 0;
  const counting = setInterval(() => turns++, 1);
  for (let i = 0; i < 150; i++) {
    heavy.cast('spin', 0.2);
    other.cast('spin', 0.2);
  }
  await heavy.call('spin', 0);
  clearInterval(counting);
  expect(turns).toBeGreaterThan(0);
});
