// One part of one run of the benchmark `otp`: prints its figures as JSON. `node --expose-gc otp-run.ts start|supervised|messages`
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

/** Starts them one after the other, as a program would, and says what each costs while it waits. */
async function starts(one: () => Promise<unknown>): Promise<[ms: number, bytes: number]> {
  const before = heapBytes();
  const since = performance.now();
  for (let i = 0; i < SERVERS; i++) await one();
  const ms = performance.now() - since;
  await new Promise(setImmediate);
  return [ms, (heapBytes() - before) / SERVERS];
}

async function plain(): Promise<Partial<OtpRun>> {
  const [startMs, startBytes] = await starts(() => start(Counter));
  return { startMs, startBytes };
}

async function supervised(): Promise<Partial<OtpRun>> {
  const sessions = await startSupervisor(dynamicSupervisor());
  const spec = child(Counter, { restart: 'temporary' });
  const [supervisedMs, supervisedBytes] = await starts(() => sessions.startChild(spec));
  const { active } = await sessions.count();
  if (active !== SERVERS) throw new Error(`${active} servers run, not ${SERVERS}`);
  return { supervisedMs, supervisedBytes };
}

async function messages(): Promise<Partial<OtpRun>> {
  const counter = await start(Counter);
  let expected = 0;
  const perSecond = async (count: number, work: () => Promise<void>): Promise<number> => {
    // Once to be compiled, once to be measured.
    await work();
    const since = performance.now();
    await work();
    const seconds = (performance.now() - since) / 1000;
    expected += 2 * count;
    return count / seconds;
  };
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
  return { callsPerSecond, concurrentCallsPerSecond, castsPerSecond };
}

const parts: Record<string, () => Promise<Partial<OtpRun>>> = { start: plain, supervised, messages };
console.log(JSON.stringify(await parts[process.argv[2] ?? '']?.()));
