import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Cache } from '../cache.ts';
import { cacheContents, type Entry, type Leftover } from './contents.ts';
import { abandoned, isRunning, overLimit, pruneCache, remove, unusedFor } from './prune.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.now();

const entry = (name: string, bytes: number, ageMs: number): Entry => ({
  kind: 'blocks',
  path: name,
  bytes,
  usedMs: NOW - ageMs,
});
const names = (list: readonly { path: string }[]): string[] => list.map(({ path }) => path);

describe('what is too much for the limit', () => {
  const entries = [
    entry('yesterday', 40, DAY),
    entry('now', 40, 0),
    entry('last week', 40, 7 * DAY),
    entry('an hour ago', 40, HOUR),
  ];

  test('goes in the order of its last use, and no more than needed', () => {
    expect(names(overLimit(entries, 160, NOW))).toEqual([]);
    expect(names(overLimit(entries, 159, NOW))).toEqual(['last week']);
    expect(names(overLimit(entries, 100, NOW))).toEqual(['last week', 'yesterday']);
  });

  test('stays while a build may be using it', () => {
    expect(names(overLimit(entries, 0, NOW))).toEqual(['last week', 'yesterday']);
  });

  test('goes in the end, also when it was used in a future that never came', () => {
    const ahead = entry('2040', 100, -14 * 365 * DAY);
    expect(names(overLimit([...entries, ahead], 100, NOW))).toEqual(['last week', 'yesterday', '2040']);
  });

  test('for any cache: within the limit, or all that is left may be in use; never the newer before the older', () => {
    const any = fc.record({ bytes: fc.nat(1000), age: fc.integer({ min: -DAY, max: 30 * DAY }) });
    fc.assert(
      fc.property(fc.array(any), fc.nat(20_000), (list, limit) => {
        const all = list.map(({ bytes, age }, i) => entry(String(i), bytes, age));
        const gone = new Set(overLimit(all, limit, NOW));
        const kept = all.filter((one) => !gone.has(one));
        const total = kept.reduce((sum, { bytes }) => sum + bytes, 0);
        const idle = kept.filter(({ usedMs }) => Math.abs(NOW - usedMs) >= 2 * HOUR);
        expect(total <= limit || idle.length === 0).toBe(true);
        const newestGone = Math.max(...[...gone].map(({ usedMs }) => usedMs));
        expect(idle.every(({ usedMs }) => usedMs >= newestGone)).toBe(true);
      }),
    );
  });
});

test('entries can be chosen by how long they were not used', () => {
  const entries = [entry('new', 1, HOUR), entry('old', 1, 31 * DAY)];
  expect(names(unusedFor(entries, 30 * DAY, NOW))).toEqual(['old']);
  expect(names(unusedFor(entries, 0, NOW))).toEqual(['new', 'old']);
  const ahead = [...entries, entry('tomorrow', 1, -DAY), entry('2040', 1, -14 * 365 * DAY)];
  expect(names(unusedFor(ahead, 30 * DAY, NOW))).toEqual(['old', '2040']);
  expect(names(unusedFor(ahead, 0, NOW))).toEqual(['new', 'old', 'tomorrow', '2040']);
});

test('a leftover goes when its process is gone and it lies still, or after a day, whosever it is', () => {
  const left = (name: string, ageMs: number, pid?: number): Leftover => ({
    path: name,
    bytes: 1,
    pid,
    changedMs: NOW - ageMs,
  });
  const all = [
    left('just written by one that was killed', HOUR / 2, 1),
    left('killed', 2 * HOUR, 1),
    left('runs', 2 * HOUR, 2),
    left('id in use again', 25 * HOUR, 2),
    left('nobody knows whose, fresh', 2 * HOUR),
    left('nobody knows whose, old', 25 * HOUR),
  ];
  expect(names(abandoned(all, NOW, (pid) => pid === 2))).toEqual([
    'killed',
    'id in use again',
    'nobody knows whose, old',
  ]);
});

test('processes that run are told from those that have ended', () => {
  expect([isRunning(process.pid), isRunning(process.ppid), isRunning(1)]).toEqual([true, true, true]);
  const { pid } = spawnSync(process.execPath, ['--version']);
  expect(isRunning(pid)).toBe(false);
});

describe('a cache folder', () => {
  let dir: string;
  let cache: Cache;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'hearth-prune-'));
    cache = new Cache(dir);
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const KEY = 'ab'.repeat(32);
  const write = (path: string, bytes: number, ageMs = 30 * DAY): string => {
    const whole = join(dir, path);
    mkdirSync(dirname(whole), { recursive: true });
    writeFileSync(whole, Buffer.alloc(bytes));
    age(whole, ageMs);
    return whole;
  };
  const age = (path: string, ageMs: number): void =>
    utimesSync(path, (NOW - ageMs) / 1000, (NOW - ageMs) / 1000);
  const dead = spawnSync(process.execPath, ['--version']).pid;

  test('is read by shape: entries, the pinned Node, and what killed processes left', async () => {
    write(`downloads/ab/${KEY}`, 10);
    write(`blocks/sq/squashfs-1-zstd1.5.7-l19-b1048576-${KEY}`, 15);
    write(`chunks/ab/${KEY}-zstd-1.5.7-19`, 20);
    write(`files/ab/${KEY}.part-${dead}-0123abcd`, 30);
    write('node/24.0.0-linux-x64/bin/node', 40);
    write('compiled/v24.21.0-x64-964aae3f-0/0048594f', 45);
    write(`npm-${dead}-x1Y2z3/node.tgz`, 50);
    write(`node/part-${dead}-x1Y2z3/bin/node`, 60);
    const { entries, leftovers } = await cacheContents(dir);
    expect(entries.map(({ kind, bytes }) => [kind, bytes])).toEqual([
      ['downloads', 10],
      ['blocks', 15],
      ['chunks', 20],
      ['node', 40],
      ['compiled', 45],
    ]);
    expect(leftovers.map(({ pid, bytes }) => [pid, bytes])).toEqual([
      [dead, 30],
      [dead, 50],
      [dead, 60],
    ]);
  });

  test('that also holds other things: they are never touched', async () => {
    const strangers = [
      'notes.txt',
      `downloads/${KEY}`,
      `downloads/ab/cd${KEY}`,
      'downloads/ab/readme.md',
      'downloads/ab/abacus.part-1-0123abcd',
      `photos/ab/${KEY}`,
      'node/lib/x.js',
      'compiled/mine/x.js',
      'npm-stuff-of-mine/x',
    ].map((path) => write(path, 10));
    const elsewhere = mkdtempSync(join(tmpdir(), 'hearth-elsewhere-'));
    try {
      mkdirSync(join(elsewhere, 'ab'));
      writeFileSync(join(elsewhere, 'ab', KEY), 'shared');
      symlinkSync(elsewhere, join(dir, 'blocks'));
      const removed = await pruneCache(dir, 0, NOW + 40 * DAY);
      expect(removed).toEqual({ entries: [], leftovers: [], bytes: 0, failed: [] });
      expect(strangers.filter((path) => !existsSync(path))).toEqual([]);
      expect(existsSync(join(elsewhere, 'ab', KEY))).toBe(true);
    } finally {
      rmSync(elsewhere, { recursive: true });
    }
  });

  test('that does not exist is empty', async () => {
    expect(await cacheContents(join(dir, 'none'))).toEqual({ entries: [], leftovers: [] });
  });

  test('is brought down to its limit, by last use; what is read is used', async () => {
    const [first, second, third] = ['11', '22', '33'].map((two) => two.repeat(32)) as [
      string,
      string,
      string,
    ];
    for (const [index, key] of [first, second, third].entries()) {
      await cache.put('blocks', key, Buffer.alloc(1000));
      age(cache.path('blocks', key), (9 - index) * DAY);
    }
    await cache.get('blocks', first);
    const { bytes, entries } = await pruneCache(dir, 2500, NOW);
    expect(names(entries)).toEqual([cache.path('blocks', second)]);
    expect(bytes).toBe(1012);
    expect(await cache.has('blocks', first, 1000)).toBe(true);
    expect(await cache.get('blocks', second)).toBeUndefined();
    expect(await cache.has('blocks', third, 1000)).toBe(true);
  });

  test.each(['get', 'has', 'used'] as const)('%s says that an entry is used', async (way) => {
    await cache.put('blocks', KEY, Buffer.alloc(5));
    age(cache.path('blocks', KEY), 2 * DAY);
    await cache[way]('blocks', KEY, 5);
    expect((await pruneCache(dir, 0, Date.now())).entries).toEqual([]);
  });

  test('loses no entry that was used after it was looked at', async () => {
    await cache.put('blocks', KEY, Buffer.alloc(5));
    age(cache.path('blocks', KEY), 2 * DAY);
    const contents = await cacheContents(dir);
    await cache.get('blocks', KEY);
    expect((await remove(contents)).entries).toEqual([]);
    expect(await cache.has('blocks', KEY, 5)).toBe(true);
  });

  test('loses an old Node, whole', async () => {
    write('node/24.0.0-linux-x64/bin/node', 1000);
    age(join(dir, 'node/24.0.0-linux-x64'), 9 * DAY);
    expect((await pruneCache(dir, 500, NOW)).bytes).toBe(1000);
    expect(await cacheContents(dir)).toEqual({ entries: [], leftovers: [] });
  });
});
