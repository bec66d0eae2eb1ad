import { existsSync, mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openFirmware } from '../../archive/open.ts';
import { firmware } from '../../update/test-machine.ts';
import { Cache } from '../cache.ts';
import { cacheContents } from './contents.ts';
import { KnownFirmware } from './known-firmware.ts';
import { pruneCache } from './prune.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'known-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function kept(): Promise<{ known: KnownFirmware; cache: Cache; uuid: string; entry: string }> {
  const path = join(dir, 'one.fw');
  writeFileSync(path, await firmware(1));
  const cache = new Cache(join(dir, 'cache'));
  const known = new KnownFirmware(cache);
  await using fw = await openFirmware(path, { trust: 'self' });
  await known.keep(fw);
  // What the build writes over is not what was kept.
  writeFileSync(path, 'another build');
  const [entry] = (await cacheContents(cache.dir)).entries;
  return { known, cache, uuid: fw.manifest.uuid, entry: entry?.path ?? '' };
}

test('what was kept is found by its UUID, whole, and nothing else is', async () => {
  const { known, uuid } = await kept();
  await using found = await known.find(uuid);
  expect(found?.manifest.version).toBe('1.1.0');
  await found?.verify();
  expect(await known.find('00000000-0000-4000-8000-000000000002')).toBeUndefined();
});

test('a damaged one is nobody’s, and makes room for a whole one', async () => {
  const { known, uuid, entry } = await kept();
  truncateSync(entry, 100_000);
  expect(await known.find(uuid)).toBeUndefined();
  expect(existsSync(entry)).toBe(false);
});

test('the cache’s limit and its cleaning count it like everything else', async () => {
  const { known, cache, uuid, entry } = await kept();
  expect(cache.written).toBe(true);
  const old = new Date(Date.now() - 48 * 3_600_000);
  utimesSync(entry, old, old);
  const { entries } = await pruneCache(cache.dir, 0, Date.now());
  expect(entries.map(({ kind }) => kind)).toEqual(['firmware']);
  expect(await known.find(uuid)).toBeUndefined();
});
