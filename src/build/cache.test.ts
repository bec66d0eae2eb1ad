import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Cache } from './cache.ts';
import { seededRandom } from './test-random.ts';

let dir: string;
let cache: Cache;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-cache-'));
  cache = new Cache(dir);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const KEY = 'abcdef0123456789';

describe('an entry', () => {
  test.each([0, 1, 4096, 1_000_003])('of %d bytes comes back as it was', async (size) => {
    const value = Buffer.alloc(size, 'hearth ');
    await cache.put('files', KEY, value);
    expect(await cache.get('files', KEY)).toEqual(value);
    expect(await cache.has('files', KEY, size)).toBe(true);
  });

  test('is of one kind and key only', async () => {
    await cache.put('blocks', KEY, Buffer.from('1'));
    expect(await cache.get('chunks', KEY)).toBeUndefined();
    expect(await cache.get('blocks', `${KEY}0`)).toBeUndefined();
  });

  test('is made once, and counted', async () => {
    let made = 0;
    const make = async (): Promise<Uint8Array> => Buffer.from(String(++made));
    expect(Buffer.from(await cache.getOrMake('files', KEY, make)).toString()).toBe('1');
    expect(Buffer.from(await cache.getOrMake('files', KEY, make)).toString()).toBe('1');
    expect(cache.counts).toEqual({ hits: 1, misses: 1 });
  });

  test('whose making fails is not kept, and is made the next time', async () => {
    await expect(
      cache.getOrMake('files', KEY, () => Promise.reject(new Error('no compiler'))),
    ).rejects.toThrow('no compiler');
    expect(await cache.get('files', KEY)).toBeUndefined();
  });
});

describe('B5: a damaged entry is ignored, removed and made anew', () => {
  const value = Buffer.from('a value that is long enough to be torn in several places');
  const damages: [name: string, damage: (path: string) => void][] = [
    ['empty', (path) => truncateSync(path, 0)],
    ['torn in the value', (path) => truncateSync(path, 20)],
    ['without its seal', (path) => truncateSync(path, value.length)],
    ['torn in the seal', (path) => truncateSync(path, value.length + 11)],
    ['longer', (path) => writeFileSync(path, 'x', { flag: 'a' })],
    ['all zeros', (path) => writeFileSync(path, Buffer.alloc(statSync(path).size))],
  ];
  for (let at = 0; at < value.length + 12; at += 5) {
    damages.push([`a bit flipped in byte ${at}`, (path) => flip(path, at)]);
  }
  test.each(damages)('%s', async (_name, damage) => {
    await cache.put('files', KEY, value);
    damage(cache.path('files', KEY));
    expect(await cache.get('files', KEY)).toBeUndefined();
    expect(readdirSync(join(dir, 'files', KEY.slice(0, 2)))).toEqual([]);
    expect(await cache.getOrMake('files', KEY, async () => value)).toEqual(value);
    expect(await cache.get('files', KEY)).toEqual(value);
  });

  test('has() notices a torn entry without reading it', async () => {
    await cache.put('files', KEY, value);
    truncateSync(cache.path('files', KEY), value.length);
    expect(await cache.has('files', KEY, value.length)).toBe(false);
  });

  function flip(path: string, at: number): void {
    const bytes = readFileSync(path);
    bytes.writeUInt8(bytes.readUInt8(at) ^ 0x10, at);
    writeFileSync(path, bytes);
  }
});

test('many writers of one key at once leave one whole entry and nothing else', async () => {
  const values = Array.from({ length: 40 }, (_, i) => Buffer.alloc(10_000 + i, String(i)));
  await Promise.all(values.map((value) => cache.put('files', KEY, value)));
  const kept = await cache.get('files', KEY);
  expect(values.some((value) => kept && value.equals(kept))).toBe(true);
  expect(readdirSync(join(dir, 'files', KEY.slice(0, 2)))).toEqual([KEY]);
});

// The key says what the value is, so that an entry under the wrong name would be noticed too.
const WRITER = `
  import { Cache } from ${JSON.stringify(new URL('cache.ts', import.meta.url).href)};
  const cache = new Cache(process.argv[1]);
  for (let i = 0; ; i = (i + 1) % 50) {
    const size = 100_000 + i * 20_011;
    await cache.put('files', String(size).padStart(8, '0'), Buffer.alloc(size, i));
    if (i === 0) process.stdout.write('.');
  }`;

test('B5: a writer killed at any moment leaves only whole entries', async () => {
  const random = seededRandom('cache, killed writer');
  for (let round = 0; round < 6; round++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = once(child, 'exit');
    await once(child.stdout, 'data');
    await delay(random() * 60);
    child.kill('SIGKILL');
    expect(await ended).toEqual([null, 'SIGKILL']);
    const entries = readdirSync(join(dir, 'files'), { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && !entry.name.includes('.part-'),
    );
    expect(entries.length).toBeGreaterThan(0);
    for (const { name } of entries) {
      const value = await cache.get('files', basename(name));
      expect(value?.length, `round ${round}, entry ${name}`).toBe(Number(name));
    }
  }
});
