import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Cache } from '../cache.ts';
import { cacheLimit, tendCache } from './upkeep.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-upkeep-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const HOUR = 3_600_000;
const KEY = 'cd'.repeat(32);

async function withOldEntry(): Promise<Cache> {
  const cache = new Cache(dir);
  await cache.put('blocks', KEY, Buffer.alloc(100));
  const old = (Date.now() - 30 * HOUR) / 1000;
  utimesSync(cache.path('blocks', KEY), old, old);
  return cache;
}

test('a build that wrote nothing does not look at the cache', async () => {
  await withOldEntry();
  expect(await tendCache(new Cache(dir), 0)).toBeUndefined();
  expect(existsSync(join(dir, 'CACHEDIR.TAG'))).toBe(false);
});

test('one that wrote does, and within the hour no other does', async () => {
  const cache = await withOldEntry();
  expect(await tendCache(cache, 0)).toMatchObject({ bytes: 112 });
  await withOldEntry();
  expect(await tendCache(cache, 0)).toBeUndefined();
  expect(await tendCache(cache, 0, Date.now() + 2 * HOUR)).toMatchObject({ bytes: 112 });
});

test('a stamp from the future does not stop it', async () => {
  const cache = await withOldEntry();
  expect(await tendCache(cache, 1e9)).toMatchObject({ bytes: 0 });
  const future = Date.now() / 1000 + 1e6;
  utimesSync(join(dir, 'CACHEDIR.TAG'), future, future);
  expect(await tendCache(cache, 0)).toMatchObject({ bytes: 112 });
});

test('backup programs are told to pass over the cache', async () => {
  await tendCache(await withOldEntry(), 0);
  // The 43 bytes that bford.info/cachedir demands: the MD5 of ".IsCacheDirectory".
  expect(readFileSync(join(dir, 'CACHEDIR.TAG'), 'utf8').slice(0, 43)).toBe(
    'Signature: 8a477f597d28d172789f06886806bc55',
  );
});

test('the limit comes from the environment', () => {
  expect(cacheLimit({})).toBe(10 * 1024 ** 3);
  expect(cacheLimit({ HEARTH_CACHE_LIMIT: '20 GiB' })).toBe(20 * 1024 ** 3);
  expect(() => cacheLimit({ HEARTH_CACHE_LIMIT: 'lots' })).toThrow(
    expect.objectContaining({ code: 'bad-cache-limit', remedy: expect.stringContaining('unset') }),
  );
});
