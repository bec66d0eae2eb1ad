import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import pins from '../../bin/node.json' with { type: 'json' };

const BIN = join(import.meta.dirname, '..', '..', 'bin');

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-pins-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** What the door asks, had another Node been pinned than the one that runs. */
async function compressesAsPinned(changed: object): Promise<boolean> {
  copyFileSync(join(BIN, 'pinned-node.js'), join(dir, 'pinned-node.js'));
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  writeFileSync(join(dir, 'node.json'), JSON.stringify({ ...pins, ...changed }));
  const module = await import(pathToFileURL(join(dir, 'pinned-node.js')).href);
  return module.compressesAsPinned();
}

test('the pins name the compressors of the pinned Node, under which the tests run', () => {
  const { node: version, zstd, zlib } = process.versions;
  expect({ version, zstd, zlib }).toEqual({ version: pins.version, zstd: pins.zstd, zlib: pins.zlib });
});

test('B2: fw leaves a Node whose compressors are not those of the pinned one', async () => {
  expect(await compressesAsPinned({ version: '99.0.0', zstd: '9.9.9' })).toBe(false);
});

test('B2: also when only zlib differs', async () => {
  expect(await compressesAsPinned({ version: '99.0.0', zlib: '9.9.9' })).toBe(false);
});

test('another Node with the same compressors will do', async () => {
  expect(await compressesAsPinned({ version: '99.0.0' })).toBe(true);
});

test('where none is pinned for the machine its own Node has to do', async () => {
  expect(await compressesAsPinned({ version: '99.0.0', zstd: '9.9.9', packages: {} })).toBe(true);
});
