import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DiskFile } from './disk-file.ts';

const SIZE = 3 * 1024 * 1024;

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-disk-'));
  path = join(folder, 'disk.img');
});
afterEach(() => rmSync(folder, { recursive: true }));

function pattern(length: number, seed: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, (_, at) => (at * 7 + seed * 13 + (at >> 8)) & 0xff));
}

test.each([
  ['of whole blocks', SIZE],
  ['that ends within a block, hence through the page cache', SIZE + 512],
])('a disk %s: what is written at any place is there, and nothing else has changed', async (_, size) => {
  const model = pattern(size, 1);
  writeFileSync(path, model);
  const disk = await DiskFile.open(path);
  expect(disk.size).toBe(size);
  expect(disk.direct).toBe(size === SIZE);
  const writes = fc.record({
    offset: fc.oneof(fc.nat(size - 1), fc.constantFrom(0, 4095, 4096, 4097, 1024 * 1024 - 1)),
    length: fc.oneof(fc.integer({ min: 1, max: 9000 }), fc.integer({ min: 1, max: 1_200_000 })),
    seed: fc.nat(255),
  });
  await fc.assert(
    fc.asyncProperty(writes, async ({ offset, length, seed }) => {
      const bytes = pattern(Math.min(length, size - offset), seed);
      await disk.write(offset, bytes);
      model.set(bytes, offset);
      // What is gathered is seen, too.
      const small = model.subarray(Math.max(0, offset - 9), offset + 9);
      expect(Buffer.from(disk.readAt(Math.max(0, offset - 9), small.length)).equals(small)).toBe(true);
      if (seed % 2 === 0) await disk.flush();
      const from = Math.max(0, offset - 5000);
      const wanted = model.subarray(from, offset + bytes.length + 5000);
      expect(Buffer.from(await disk.read(from, wanted.length)).equals(wanted)).toBe(true);
      expect(Buffer.from(disk.readAt(from, wanted.length)).equals(wanted)).toBe(true);
    }),
    { numRuns: 40 },
  );
  await disk.close();
  expect(readFileSync(path).equals(model)).toBe(true);
});

test('what follows one another is written by the MiB, whatever it was cut into', async () => {
  const model = pattern(SIZE, 1);
  writeFileSync(path, model);
  const disk = await DiskFile.open(path);
  const fresh = pattern(SIZE - 2000, 2);
  for (let at = 0; at < fresh.length; at += 77_777)
    await disk.write(1000 + at, fresh.subarray(at, at + 77_777));
  model.set(fresh, 1000);
  // Whole MiB go there before anybody asks; what is not whole waits for the flush.
  const whole = model.subarray(0, 2 * 2 ** 20);
  await expect
    .poll(() => readFileSync(path).subarray(0, whole.length).equals(whole), { timeout: 30_000 })
    .toBe(true);
  expect(readFileSync(path).equals(model)).toBe(false);
  await disk.flush();
  expect(readFileSync(path).equals(model)).toBe(true);
  await disk.close();
});

test('who reads on sees what was written meanwhile, here and by others once all is flushed', async () => {
  const model = pattern(SIZE, 1);
  writeFileSync(path, model);
  const disk = await DiskFile.open(path);
  const read = async (offset: number): Promise<void> =>
    expect(Buffer.from(await disk.read(offset, 3000)).equals(model.subarray(offset, offset + 3000))).toBe(
      true,
    );
  await read(1000);
  await read(4000);
  // In what has been read ahead by now.
  const here = pattern(500, 3);
  await disk.write(8000, here);
  model.set(here, 8000);
  await read(7000);
  const other = pattern(5000, 4);
  model.set(other, 12_000);
  writeFileSync(path, model);
  await disk.flush();
  await read(10_000);
  await read(13_000);
  await disk.close();
});

test('operations that are begun together do not mix; reads end with the disk; nothing is written behind it', async () => {
  writeFileSync(path, Buffer.alloc(SIZE));
  const disk = await DiskFile.open(path);
  const parts = Array.from({ length: 20 }, (_, at) => pattern(5001, at));
  await Promise.all(parts.map((bytes, at) => disk.write(at * 5001 + 3, bytes)));
  const read = await Promise.all(parts.map((_, at) => disk.read(at * 5001 + 3, 5001)));
  expect(read.every((bytes, at) => Buffer.from(bytes).equals(parts[at] ?? Buffer.alloc(0)))).toBe(true);
  expect(await disk.read(SIZE - 10, 100)).toHaveLength(10);
  expect(disk.readAt(SIZE - 10, 100)).toHaveLength(10);
  await expect(disk.write(SIZE - 10, new Uint8Array(11))).rejects.toThrow(RangeError);
  await disk.close();
  expect(readFileSync(path)).toHaveLength(SIZE);
});

test('what cannot be written is told to who writes next, or flushes, once; all else is written', async () => {
  const model = pattern(SIZE, 1);
  writeFileSync(path, model);
  const disk = await DiskFile.open(path);
  await using any = await open(path);
  const write = vi.spyOn(Object.getPrototypeOf(any) as FileHandle, 'write');
  const broken = Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' });
  const fresh = pattern(SIZE, 2);
  const half = SIZE / 3 / 2;

  write.mockRejectedValueOnce(broken);
  // Under way, and nobody has been told yet.
  await disk.write(0, fresh.subarray(0, 2 * half));
  expect(Buffer.from(await disk.read(0, 10))).toEqual(model.subarray(0, 10));
  await expect(disk.write(2 * half, fresh.subarray(2 * half, 3 * half))).rejects.toThrow('EIO');
  // Nothing of what was refused.
  await disk.flush();
  expect(readFileSync(path).equals(model)).toBe(true);

  write.mockRejectedValueOnce(broken);
  await disk.write(4 * half, fresh.subarray(4 * half, 6 * half));
  await expect(disk.flush()).rejects.toThrow('EIO');
  await disk.flush();
  expect(readFileSync(path).equals(model)).toBe(true);
  write.mockRestore();
  await disk.close();
});

test('whoever writes alone is told of that, and of nothing else; nobody else is told of it', async () => {
  const model = pattern(SIZE, 1);
  writeFileSync(path, model);
  const disk = await DiskFile.open(path);
  await using any = await open(path);
  const real = Object.getPrototypeOf(any) as FileHandle;
  const write = vi.spyOn(real, 'write');
  const broken = Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' });
  const sector = pattern(512, 3);

  // Somebody else's is under way, and cannot be written.
  write.mockRejectedValueOnce(broken);
  await disk.write(1024 * 1024, pattern(1024 * 1024, 2));
  await disk.writeAlone(512, sector);
  model.set(sector, 512);
  expect(readFileSync(path).equals(model)).toBe(true);
  await expect(disk.flush()).rejects.toThrow('EIO');

  // Its own cannot be written; others come between as soon as they can.
  write.mockRejectedValueOnce(broken);
  const alone = disk.writeAlone(4096, sector);
  const others = disk.write(8192, sector).then(() => disk.flush());
  await expect(alone).rejects.toThrow('EIO');
  await others;
  model.set(sector, 8192);
  expect(readFileSync(path).equals(model)).toBe(true);

  write.mockRestore();
  const sync = vi.spyOn(real, 'datasync').mockRejectedValueOnce(broken);
  await expect(disk.writeAlone(0, sector)).rejects.toThrow('EIO');
  sync.mockRestore();
  await disk.close();
});

test('a block that cannot be read, and would be completed by what is written, is told to who writes', async () => {
  writeFileSync(path, pattern(SIZE, 1));
  const disk = await DiskFile.open(path);
  await using any = await open(path);
  await disk.write(1024 * 1024, pattern(1000, 2));
  const read = vi.spyOn(Object.getPrototypeOf(any) as FileHandle, 'read');
  read.mockRejectedValueOnce(Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' }));
  // Who reads there has it written before, and is told what is there.
  const there = pattern(SIZE, 1).subarray(1024 * 1024, 1024 * 1024 + 100);
  expect(Buffer.from(await disk.read(1024 * 1024, 100))).toEqual(there);
  read.mockRestore();
  await expect(disk.flush()).rejects.toThrow('EIO');
  await disk.flush();
  await disk.close();
});

test('who adds to a block that is being written waits for that', async () => {
  const model = pattern(SIZE, 1);
  writeFileSync(path, model);
  const disk = await DiskFile.open(path);
  await using any = await open(path);
  const { write } = any;
  const writes = vi.spyOn(Object.getPrototypeOf(any) as FileHandle, 'write');
  const slow = Promise.withResolvers<void>();
  writes.mockImplementationOnce(async function (this: FileHandle, ...what: unknown[]) {
    await slow.promise;
    return Reflect.apply(write, this, what);
  });
  const [first, second] = [pattern(5000, 2), pattern(500, 3)];
  await disk.write(0, first);
  const added = disk.write(6000, second);
  await Promise.race([added, new Promise((resolve) => setTimeout(resolve, 100))]);
  slow.resolve();
  await added;
  await disk.flush();
  model.set(first);
  model.set(second, 6000);
  expect(readFileSync(path).equals(model)).toBe(true);
  writes.mockRestore();
  await disk.close();
});
