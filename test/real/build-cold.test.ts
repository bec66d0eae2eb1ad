import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleApp, bundleHearthd } from '../../src/build/bundle/index.ts';
import { Cache } from '../../src/build/cache.ts';
import { directory, file, insert } from '../../src/build/tree.ts';
import {
  type BlockCache,
  writeSquashfs,
  zstdCompressor,
  zstdVersion,
} from '../../src/formats/squashfs/index.ts';
import type { DirNode } from '../../src/formats/tree.ts';
import { loadProject } from '../../src/project/load.ts';
import { copyHello } from './fw.ts';

/** B2: what comes from the cache is what would be made: an empty cache gives the same bytes. `package.test.ts` does so for a whole firmware. */
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-cold-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("the app's part of a root", () => {
  async function tree(): Promise<DirNode> {
    const project = await loadProject(await copyHello(join(dir, 'part')));
    const [app, hearthd] = [await bundleApp(project, 'x86_64'), await bundleHearthd()];
    const root = directory();
    for (const [name, bytes] of hearthd.files) insert(root, `usr/lib/hearth/${name}`, file(bytes));
    insert(root, 'srv/app/app.mjs', file(app.code));
    // More than one block of a file, so that both kinds of blocks are kept.
    insert(root, 'srv/app/app.mjs.map', file(Buffer.concat(Array(8).fill(app.map))));
    for (const [name, bytes] of hearthd.maps) insert(root, `usr/lib/hearth/${name}`, file(bytes));
    return root;
  }

  async function squash(cache?: BlockCache): Promise<string> {
    const { image } = await writeSquashfs(await tree(), {
      blockSize: 128 * 1024,
      mtime: 1_800_000_000,
      compress: zstdCompressor(19),
      compressorLevel: 19,
      compressorVersion: zstdVersion,
      ...(cache ? { cache } : {}),
    });
    const hash = createHash('sha256');
    for await (const piece of image) hash.update(piece);
    return hash.digest('hex');
  }

  test('is the same without a cache, with a cold one, and with a warm one', async () => {
    const cache = new Cache(join(dir, 'blocks'));
    const kept: BlockCache = {
      get: (key) => cache.get('blocks', key),
      put: (key, value) => cache.put('blocks', key, value),
    };
    const without = await squash();
    const cold = await squash(kept);
    const made = cache.counts;
    expect(made).toEqual({ hits: 0, misses: expect.any(Number) });
    const warm = await squash(kept);
    expect(cache.counts).toEqual({ hits: made.misses, misses: made.misses });
    expect([cold, warm]).toEqual([without, without]);
  });
});
