import { once } from 'node:events';
import { afterEach, expect, test, vi } from 'vitest';
import { processTable } from '../process/process-table.ts';
import { onReport, report } from '../process/reports.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import { AlreadyAttachedError, attach, detach, execute, handlersOf, listening, span } from './index.ts';

declare module './events.ts' {
  interface TelemetryEvents {
    'test.order': { measurements: { cents: number }; metadata: { country: string } };
  }
}

const seen: unknown[][] = [];
const note =
  (id: string) =>
  (measurements: object, metadata: object, event: string): void => {
    seen.push([id, event, measurements, metadata]);
  };

afterEach(() => {
  for (const event of ['a', 'b', 'all']) detach(event);
  for (const process of processTable.values()) process.kill('killed');
  expect(listening('otp.process.crash')).toBe(false);
  seen.length = 0;
  vi.restoreAllMocks();
});

test('an event reaches who listens to it, by name or by the beginning of it, in the order of attaching', () => {
  attach('a', 'http.request', note('a'));
  attach('all', 'http.*', note('all'));
  attach('b', 'http.request', note('b'));
  execute('http.request', { bytes: 5 }, { route: '/' });
  execute('http.close', { count: 1 });
  execute('httpx', { count: 1 });
  expect(seen).toEqual([
    ['a', 'http.request', { bytes: 5 }, { route: '/' }],
    ['all', 'http.request', { bytes: 5 }, { route: '/' }],
    ['b', 'http.request', { bytes: 5 }, { route: '/' }],
    ['all', 'http.close', { count: 1 }, {}],
  ]);
  expect(handlersOf('http.request')).toEqual(['a', 'all', 'b']);
  expect([listening('http.x'), listening('ftp')]).toEqual([true, false]);
});

test('an id is for one handler; what detaches a handler does not detach its successor', () => {
  const end = attach('a', 'x', note('a'));
  expect(() => attach('a', 'y', note('a'))).toThrow(AlreadyAttachedError);
  end();
  attach('a', 'y', note('a'));
  end();
  execute('y', { n: 1 });
  expect(seen).toHaveLength(1);
  expect([detach('a'), detach('a')]).toEqual([true, false]);
  execute('y', { n: 1 });
  expect(seen).toHaveLength(1);
});

test('a handler that throws is detached, and said to be; the others, and who executes, know nothing of it', async () => {
  const warned = once(process, 'warning');
  attach('a', 'x', () => {
    throw new Error('bad handler');
  });
  attach('b', 'x', note('b'));
  attach('all', 'telemetry.handler.failure', (_, { id, event, error }) =>
    seen.push([id, event, error.message]),
  );
  execute('x', { n: 1 });
  execute('x', { n: 2 });
  expect(seen).toEqual([
    ['a', 'x', 'bad handler'],
    ['b', 'x', { n: 1 }, {}],
    ['b', 'x', { n: 2 }, {}],
  ]);
  expect(handlersOf('x')).toEqual(['b']);
  expect(String(await warned)).toContain("telemetry handler 'a' threw at 'x', and is detached");
});

test('a handler that is detached by one before it is not called', () => {
  attach('a', 'x', () => void detach('b'));
  attach('b', 'x', note('b'));
  execute('x', { n: 1 });
  expect(seen).toEqual([]);
});

test('a span tells its start and its end, with what is known by then and how long it took', () => {
  vi.spyOn(performance, 'now').mockReturnValueOnce(1000).mockReturnValueOnce(1007.5);
  vi.spyOn(Date, 'now').mockReturnValue(5);
  attach('all', 'db.*', note('all'));
  const rows = span('db.query', { table: 'users' }, (add) => {
    add({ rows: 3 });
    return [1, 2, 3];
  });
  expect(rows).toEqual([1, 2, 3]);
  expect(seen).toEqual([
    ['all', 'db.query.start', { atMs: 5 }, { table: 'users' }],
    ['all', 'db.query.stop', { durationMs: 7.5 }, { table: 'users', rows: 3 }],
  ]);
});

test('a span ends when its promise does, and passes errors on', async () => {
  attach('all', 'db.*', note('all'));
  const gate = Promise.withResolvers<string>();
  const work = span('db.query', {}, () => gate.promise);
  expect(seen).toHaveLength(1);
  gate.resolve('done');
  expect(await work).toBe('done');
  expect(seen[1]?.[1]).toBe('db.query.stop');
  const error = new Error('no such table');
  await expect(span('db.query', { table: 'x' }, () => Promise.reject(error))).rejects.toBe(error);
  expect(() =>
    span('db.query', { table: 'y' }, () => {
      throw error;
    }),
  ).toThrow(error);
  const durationMs = expect.any(Number);
  expect(seen.filter(([, event]) => event === 'db.query.exception').map((event) => event.slice(2))).toEqual([
    [{ durationMs }, { table: 'x', error }],
    [{ durationMs }, { table: 'y', error }],
  ]);
});

test('a span that nobody listens to is the work alone', async () => {
  expect(span('db.query', {}, () => 7)).toBe(7);
  attach('a', 'other', note('a'));
  await expect(span('db.query', {}, async () => 8)).resolves.toBe(8);
  expect(seen).toEqual([]);
});

test('more names than are remembered are found all the same', () => {
  attach('all', 'user.*', note('all'));
  for (let id = 0; id < 2_500; id++) execute(`user.${id}`, { n: id });
  expect(seen).toHaveLength(2_500);
});

class Fragile extends Server {
  fall(): void {
    throw new Error('fallen');
  }
}

test("the kernel's reports are events, while anybody listens", async () => {
  const others = onReport(() => undefined);
  await start(Fragile);
  attach('all', 'otp.*', note('all'));
  const fragile = await start(Fragile, { name: 'fragile', mailboxWatermark: 2 });
  const waiting = [fragile.call('fall'), fragile.call('fall')].map((call) => call.catch(() => 'failed'));
  await Promise.all(waiting);
  const of = { process: String(fragile.find()), label: 'Fragile' };
  expect(seen.map(([, ...event]) => event)).toEqual([
    ['otp.process.start', { count: 1 }, of],
    ['otp.mailbox.long', { waiting: 2 }, { ...of, long: true }],
    ['otp.mailbox.long', { waiting: 1 }, { ...of, long: false }],
    ['otp.process.crash', { count: 1 }, { ...of, reason: expect.any(Error), message: 'fall' }],
  ]);
  detach('all');
  const process = fragile.find();
  if (!process) throw new Error('a reference leads to its process, dead or alive');
  const looked = vi.spyOn(process, 'toString');
  report({ kind: 'progress', process });
  expect(looked).not.toHaveBeenCalled();
  attach('a', 'otp.*', note('a'));
  report({ kind: 'progress', process });
  expect(looked).toHaveBeenCalledOnce();
  others();
});

test('the shape of events that are declared is checked', () => {
  const uses = (): void => {
    execute('test.order', { cents: 5 }, { country: 'it' });
    // @ts-expect-error cents, not euros
    execute('test.order', { euros: 5 }, { country: 'it' });
    // @ts-expect-error the country is due
    execute('test.order', { cents: 5 });
    // @ts-expect-error only numbers are measured
    execute('anything', { name: 'x' });
    attach('a', 'test.order', ({ cents }, { country }) => [cents.toFixed(), country.trim()]);
    // @ts-expect-error there is no such measurement
    attach('a', 'test.order', ({ euros }) => euros);
  };
  expect(uses).toBeTypeOf('function');
});
