import { type FileHandle, open, stat, truncate } from 'node:fs/promises';
import { expect } from 'vitest';
import { type DiskPlan, planDisk } from '../../src/build/disk/plan.ts';
import { loadTarget } from '../../src/build/targets.ts';
import { MiB } from '../../src/update/layout.ts';
import { run } from '../real/disk-file.ts';

/** What the examples' configuration leaves at its default. */
const DATA_SIZE = 64 * MiB;

/** Where everything is on the disk of a device: of the size of this image, which may have grown. */
export async function planOf(target: string, image: string): Promise<DiskPlan> {
  const { size } = await stat(image);
  return planDisk({ target: (await loadTarget(target)).target, dataSize: DATA_SIZE, diskSize: size });
}

/** Makes the disk larger, as a copy onto a larger card does: the bytes are the same, and more follow. */
export async function growDisk(image: string, size: number): Promise<void> {
  expect((await stat(image)).size).toBeLessThan(size);
  await truncate(image, size);
}

async function withImage<T>(image: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  await using file = await open(image, 'r+');
  return await use(file);
}

/** Bytes of the disk as the next boot would find them; a machine that runs may write them at the same time. */
export function readImage(image: string, offset: number, length: number): Promise<Buffer> {
  return withImage(image, async (file) => {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset);
    expect(bytesRead).toBe(length);
    return buffer;
  });
}

export function writeImage(image: string, offset: number, bytes: Uint8Array): Promise<void> {
  return withImage(image, async (file) => {
    for (let done = 0; done < bytes.length; ) {
      done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
    }
  });
}

/** Judges a disk whose device is off: its partition table, and a /data that is sound and fills the disk. */
export async function expectGoodData(target: string, image: string): Promise<void> {
  const { size, data } = await planOf(target, image);
  if (target === 'rpi3') {
    // p4 stays as the image had it (growMbr says why), which is all that sfdisk may find.
    const complaints = run('sfdisk', '-V', image).output.split('\n').slice(1).filter(Boolean);
    expect(complaints).toEqual(['Logical partition 7: not entirely in partition 4.', '1 error detected.']);
  } else {
    expect(run('sgdisk', '-v', image).output).toContain('No problems found');
  }
  const partition = `${image}?offset=${data.offset}`;
  const check = run('e2fsck', '-f', '-n', partition);
  expect(check.status, check.output).toBe(0);
  const { output } = run('dumpe2fs', '-h', partition);
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)$`, 'm').exec(output)?.[1]);
  const end = data.offset + field('Block count') * field('Block size');
  expect(end).toBeLessThanOrEqual(size);
  expect(size - end).toBeLessThanOrEqual(16 * MiB);
}
