import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { copySparse } from './sparse.ts';

const MiB = 1024 * 1024;

test('a copy has the bytes and the holes of its source, and replaces what was there', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-sparse-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const [source, target] = [join(folder, 'a'), join(folder, 'b')];
  const size = 24 * MiB + 777;
  {
    await using file = await open(source, 'w');
    await file.write('start', 0);
    await file.write('middle', 10 * MiB - 3);
    await file.write('end', size - 3);
  }
  await writeFile(target, Buffer.alloc(30 * MiB, 1));
  await copySparse(source, target);
  expect((await readFile(target)).equals(await readFile(source))).toBe(true);
  expect((await stat(target)).blocks * 512).toBeLessThan(6 * MiB);
});

test('a source that is missing is an error', async () => {
  await expect(copySparse('/no/such/file', join(tmpdir(), 'hearth-none'))).rejects.toThrow('/no/such/file');
});
