import { Registry } from '../../src/otp/registry/registry.ts';
import { table } from '../../src/otp/registry/table.ts';
import { Server } from '../../src/otp/server/server.ts';
import { start } from '../../src/otp/server/start.ts';
import { counter, execute, Metrics, span, summary } from '../../src/otp/telemetry/index.ts';
import { type Figure, median } from './figure.ts';

const RUNS = 7;
const KEYS = 10_000;
const TIMES = 2_000_000;

class Room extends Server {}

/** Registry look-ups, table reads, and what telemetry costs with and without listeners. */
export async function benchRegistry(): Promise<Figure[]> {
  const rooms = new Registry<string, undefined, Room>();
  const keys = Array.from({ length: KEYS }, (_, nth) => `room-${nth}`);
  const refs = await Promise.all(keys.map((key) => start(Room, { via: rooms.key(key) })));
  const rows = table<string, number>({ name: 'bench' });
  for (const [nth, key] of keys.entries()) rows.put(key, nth);
  let found = 0;

  const figures = [
    perSecond(
      'registry: look-up among 10,000',
      (nth) => {
        if (rooms.lookup(keys[nth % KEYS] ?? '')) found++;
      },
      '>= 5,000,000',
    ),
    perSecond('table: get among 10,000', (nth) => {
      if (rows.get(keys[nth % KEYS] ?? '') !== undefined) found++;
    }),
    nanoseconds('telemetry: execute, nobody listens', () => execute('bench.done', { ms: 1 }, { route: '/' })),
    nanoseconds('telemetry: span, nobody listens', () => span('bench', {}, () => found)),
  ];
  const metrics = new Metrics([counter('bench.done'), summary('bench.done', 'ms')]);
  figures.push(
    nanoseconds('telemetry: execute, another event is listened to', () => execute('bench.other', { ms: 1 })),
    nanoseconds('telemetry: execute into a counter and a summary', (nth) =>
      execute('bench.done', { ms: nth % 1000 }),
    ),
  );
  metrics[Symbol.dispose]();
  rows.drop();
  for (const ref of refs) ref.exit('shutdown');
  if (found < 2 * RUNS * TIMES) throw new Error('not all was found');
  return figures;
}

function perSecond(name: string, work: (nth: number) => void, goal?: string): Figure {
  const value = Math.round(TIMES / (medianMs(work) / 1000));
  return { name, value, unit: '/s', runs: RUNS, ...(goal && { goal }) };
}

function nanoseconds(name: string, work: (nth: number) => void): Figure {
  return { name, value: (medianMs(work) * 1e6) / TIMES, unit: 'ns', runs: RUNS };
}

function medianMs(work: (nth: number) => void): number {
  return median(
    Array.from({ length: RUNS }, () => {
      const begin = performance.now();
      for (let nth = 0; nth < TIMES; nth++) work(nth);
      return performance.now() - begin;
    }),
  );
}
