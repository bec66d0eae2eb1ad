import { expect, test } from 'vitest';
import { counter, distribution, execute, listening, Metrics, sum, summary } from './index.ts';
import { lastValue } from './metric.ts';

test('each kind of metric makes its own of the same events', () => {
  using metrics = new Metrics([
    counter('job.done'),
    sum('job.done', 'bytes'),
    lastValue('job.done', 'bytes'),
    summary('job.done', 'ms'),
    distribution('job.done', 'ms', [10, 50], { name: 'job.ms' }),
  ]);
  expect(metrics.snapshot()).toEqual([]);
  for (let ms = 1; ms <= 100; ms++) execute('job.done', { ms, bytes: ms * 2 });
  const [count, bytes, last, spread, buckets] = metrics.snapshot();
  expect(count).toEqual({ kind: 'counter', name: 'job.done', tags: {}, value: 100 });
  expect(bytes).toMatchObject({ kind: 'sum', name: 'job.done.bytes', value: 10_100 });
  expect(last).toMatchObject({ kind: 'lastValue', value: 200 });
  expect(spread).toMatchObject({ kind: 'summary', count: 100, sum: 5050, min: 1, max: 100, mean: 50.5 });
  if (spread?.kind !== 'summary') throw new Error('not a summary');
  for (const [value, exact] of [
    [spread.p50, 50],
    [spread.p90, 90],
    [spread.p99, 99],
  ] as const)
    expect(Math.abs(value - exact) / exact).toBeLessThanOrEqual(0.01);
  expect(buckets).toMatchObject({
    name: 'job.ms',
    count: 100,
    buckets: [
      { upTo: 10, count: 10 },
      { upTo: 50, count: 40 },
      { upTo: Infinity, count: 50 },
    ],
  });
  metrics.reset();
  expect(metrics.snapshot()).toEqual([]);
});

test('tags are counted apart, what where refuses is not counted at all', () => {
  using metrics = new Metrics([
    counter('http', { tags: ['method', 'status'], where: ({ path }) => path !== '/health' }),
  ]);
  execute('http', { ms: 1 }, { method: 'GET', status: 200 });
  execute('http', { ms: 1 }, { method: 'GET', status: 200 });
  execute('http', { ms: 1 }, { method: 'GET', status: 404 });
  execute('http', { ms: 1 }, { method: 'GET' });
  execute('http', { ms: 1 }, { method: 'GET', status: 200, path: '/health' });
  expect(
    metrics.snapshot().map(({ tags, ...figures }) => [tags, 'value' in figures && figures.value]),
  ).toEqual([
    [{ method: 'GET', status: '200' }, 2],
    [{ method: 'GET', status: '404' }, 1],
    [{ method: 'GET', status: '' }, 1],
  ]);
});

test('tags that are too many, and values that are no numbers, are left out and counted', () => {
  using metrics = new Metrics([summary('http', 'ms', { tags: ['user'] })], { maxSeries: 2 });
  for (const user of ['a', 'b', 'c', 'a']) execute('http', { ms: 1 }, { user });
  execute('http', { ms: Number.NaN }, { user: 'a' });
  execute('http', { bytes: 1 }, { user: 'a' });
  expect(metrics.snapshot().map(({ tags }) => tags.user)).toEqual(['a', 'b']);
  expect(metrics.dropped).toBe(2);
});

test('a store that is disposed of listens no more, and keeps what it has', () => {
  const metrics = new Metrics([counter('x')]);
  const other = new Metrics([counter('x')]);
  execute('x', { n: 1 });
  metrics[Symbol.dispose]();
  execute('x', { n: 1 });
  other[Symbol.dispose]();
  expect(listening('x')).toBe(false);
  const values = [...metrics.snapshot(), ...other.snapshot()].map(
    (figures) => 'value' in figures && figures.value,
  );
  expect(values).toEqual([1, 2]);
  expect(() => distribution('x', 'n', [2, 1])).toThrow('must ascend');
});
