import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { processTable } from '../process/process-table.ts';
import { named, type ServerRef } from '../server/ref.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import { applyAfter, applyEvery, sendAfter, sendEvery, type Timer } from './timer.ts';

/** A clock in the test's hand: timers look when they are told to, early or late. */
let now = 0;
let armed: { look: () => void; ms: number } | undefined;

beforeEach(() => {
  now = 0;
  armed = undefined;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  vi.spyOn(globalThis, 'setTimeout').mockImplementation(((look: () => void, ms: number) => {
    armed = { look, ms };
    return armed;
  }) as never);
  vi.spyOn(globalThis, 'clearTimeout').mockImplementation(((timer: unknown) => {
    if (timer === armed) armed = undefined;
  }) as never);
});
afterEach(() => {
  vi.restoreAllMocks();
  for (const process of processTable.values()) process.kill('killed');
});

function lookAt(time: number): void {
  now = time;
  const timer = armed;
  armed = undefined;
  timer?.look();
}

class Clock extends Server {
  #ticks: string[] = [];
  #timer: Timer | undefined;
  override info(message: string): void {
    this.#ticks.push(message);
  }
  ticks(): string[] {
    return this.#ticks;
  }
  every(ms: number): void {
    this.#timer = applyEvery(ms, () => this.#ticks.push('applied'));
  }
  failAfter(ms: number): void {
    applyAfter(ms, () => {
      throw new Error('too late');
    });
  }
  cancel(): boolean {
    return this.#timer?.cancel() ?? false;
  }
}

/** Infinity, so that calls arm no timer of their own. */
async function clock(options: { name?: string; mailboxLimit?: number } = {}): Promise<ServerRef<Clock>> {
  return (await start(Clock, options)).within(Infinity);
}

async function idle(ref: ServerRef<Clock>): Promise<void> {
  while (!ref.find()?.idle) await new Promise((resolve) => setImmediate(resolve));
}

test('a message comes once, not before its time, and not when it is cancelled', async () => {
  const ref = await clock();
  const timer = sendAfter(100, ref, 'once');
  lookAt(99.5);
  expect(timer.remainingMs).toBe(0.5);
  expect(await ref.call('ticks')).toEqual([]);
  lookAt(100.4);
  expect(await ref.call('ticks')).toEqual(['once']);
  expect([timer.active, timer.cancel(), armed]).toEqual([false, false, undefined]);
  const cancelled = sendAfter(100, ref, 'never');
  expect(cancelled.cancel()).toBe(true);
  expect(armed).toBeUndefined();
});

test('repetitions do not drift, however late each of them is', async () => {
  const ref = await clock();
  sendEvery(100, ref, 'tick');
  for (let nth = 1; nth <= 500; nth++) {
    lookAt(now + (armed?.ms ?? 0) + 7.3);
    expect(now - nth * 100).toBeLessThan(8.4);
  }
  expect(await ref.call('ticks')).toHaveLength(500);
});

test('what was missed while the program was held up does not come in a burst', async () => {
  const ref = await clock();
  const timer = sendEvery(100, ref, 'tick');
  lookAt(1050);
  expect(timer.missed).toBe(9);
  expect(await ref.call('ticks')).toEqual(['tick']);
  expect(armed?.ms).toBe(50);
});

test('a time that is longer than Node can wait is waited for', async () => {
  const ref = await clock();
  const month = 30 * 24 * 3600 * 1000;
  sendAfter(month, ref, 'month');
  lookAt(2 ** 31 - 1);
  expect(await ref.call('ticks')).toEqual([]);
  lookAt(month);
  expect(await ref.call('ticks')).toEqual(['month']);
});

test('a jump of the wall clock changes nothing', async () => {
  vi.spyOn(Date, 'now').mockReturnValue(4_102_444_800_000);
  const ref = await clock();
  const timer = sendEvery(100, ref, 'tick');
  vi.mocked(Date.now).mockReturnValue(0);
  lookAt(100);
  expect([timer.remainingMs, timer.missed]).toEqual([100, 0]);
});

test('timers go with who made them; repeated messages end with the receiver, but wait for a name', async () => {
  const [owner, other] = [await clock(), await clock()];
  const timer = sendEvery(100, other, 'tick', { owner });
  owner.exit('kill');
  expect([timer.active, armed]).toEqual([false, undefined]);
  sendEvery(100, other, 'tick');
  other.exit('kill');
  lookAt(100);
  expect(armed).toBeUndefined();
  const byName = sendEvery(100, named<Clock>('clock'), 'tick');
  lookAt(200);
  expect(byName.active).toBe(true);
  const late = await clock({ name: 'clock' });
  lookAt(300);
  expect(await late.call('ticks')).toEqual(['tick']);
  expect(() => sendAfter(1, late, 'x', { owner })).toThrow('has ended');
});

test('of repeated messages some may be lost to a full mailbox, a single one never', async () => {
  const ref = await clock({ mailboxLimit: 1 });
  sendAfter(100, ref, 'once');
  ref.cast('ticks');
  lookAt(100);
  sendEvery(100, ref, 'tick');
  lookAt(200);
  await idle(ref);
  expect(await ref.call('ticks')).toEqual(['once']);
  lookAt(300);
  await idle(ref);
  expect(await ref.call('ticks')).toEqual(['once', 'tick']);
});

test('functions run in the process that asked, one at a time, and end it when they throw', async () => {
  const ref = await clock();
  await ref.call('every', 100);
  lookAt(100);
  lookAt(200);
  expect(await ref.call('ticks')).toEqual(['applied']);
  lookAt(300);
  expect(await ref.call('ticks')).toEqual(['applied', 'applied']);
  expect(await ref.call('cancel')).toBe(true);
  await ref.call('failAfter', 10);
  const ended = ref.ended();
  lookAt(400);
  expect(await ended).toMatchObject({ message: 'too late' });
});

test('without a process a function is called all the same', () => {
  const called: number[] = [];
  using timer = applyEvery(100, () => called.push(now));
  lookAt(100);
  lookAt(200);
  expect(called).toEqual([100, 200]);
  expect(timer.active).toBe(true);
});

test('a time that is none is refused', async () => {
  expect(() => applyAfter(-1, () => undefined)).toThrow(RangeError);
  expect(() => applyAfter(Number.NaN, () => undefined)).toThrow(RangeError);
  expect(() => applyEvery(0, () => undefined)).toThrow(RangeError);
  expect(() => applyAfter(Infinity, () => undefined)).toThrow(RangeError);
  const ref = await clock();
  // @ts-expect-error a Clock takes strings
  sendAfter(1, ref, 1).cancel();
});
