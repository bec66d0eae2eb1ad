// One run of the benchmark `otp`: prints its figures as JSON. `node --expose-gc otp-run.ts`
import { Server } from '../../src/otp/server/server.ts';
import { start } from '../../src/otp/server/start.ts';
import { child } from '../../src/otp/supervisor/child-spec.ts';
import { dynamicSupervisor } from '../../src/otp/supervisor/dynamic.ts';
import { startSupervisor } from '../../src/otp/supervisor/supervisor.ts';
import type { OtpRun } from './otp.ts';

const SERVERS = 100_000;
const CALLS = 500_000;
const CASTS = 4_000_000;
/** Casts that wait at most, and calls that run at once. */
const BATCH = 1_000;

class Counter extends Server {
  #count = 0;
  add(by: number): number {
    this.#count += by;
    return this.#count;
  }
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

/** Starts them all, and says what each costs while it waits. */
async function starts(one: () => Promise<unknown>): Promise<[ms: number, bytes: number]> {
  const before = heapBytes();
  const since = performance.now();
  const all: unknown[] = await Promise.all(Array.from({ length: SERVERS }, one));
  const ms = performance.now() - since;
  await new Promise(setImmediate);
  const bytes = (heapBytes() - before) / all.length;
  return [ms, bytes];
}

// The heap first: what the calls leave behind must not count.
const [startMs, startBytes] = await starts(() => start(Counter));
const sessions = await startSupervisor(dynamicSupervisor());
const spec = child(Counter, { restart: 'temporary' });
const [supervisedMs, supervisedBytes] = await starts(() => sessions.startChild(spec));
sessions.exit('kill');

const counter = await start(Counter);
let expected = 0;

async function perSecond(count: number, work: () => Promise<void>): Promise<number> {
  // Once to be compiled, once to be measured.
  await work();
  const since = performance.now();
  await work();
  const seconds = (performance.now() - since) / 1000;
  expected += 2 * count;
  return count / seconds;
}

const callsPerSecond = await perSecond(CALLS, async () => {
  for (let i = 0; i < CALLS; i++) await counter.call('add', 1);
});
const concurrentCallsPerSecond = await perSecond(CALLS, async () => {
  for (let i = 0; i < CALLS; i += BATCH)
    await Promise.all(Array.from({ length: BATCH }, () => counter.call('add', 1)));
});
const castsPerSecond = await perSecond(CASTS, async () => {
  for (let i = 0; i < CASTS; i += BATCH) {
    for (let j = 0; j < BATCH; j++) counter.cast('add', 1);
    await counter.call('add', 0);
  }
});
const count = await counter.call('add', 0);
if (count !== expected) throw new Error(`${count} messages were handled, not ${expected}`);

const run: OtpRun = {
  callsPerSecond,
  concurrentCallsPerSecond,
  castsPerSecond,
  startMs,
  startBytes,
  supervisedMs,
  supervisedBytes,
};
console.log(JSON.stringify(run));
