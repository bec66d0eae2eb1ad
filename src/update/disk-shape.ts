import { constants } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { basename } from 'node:path';

/** Every file system that takes O_DIRECT takes it in units of this; a block device says its own. */
const FILE_BLOCK = 4096;
const SYS_SECTOR = 512;

/** @returns undefined where the file system refuses it */
export async function openDirect(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDWR | constants.O_DIRECT);
  } catch (error) {
    // tmpfs of older kernels, and a few others.
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') return undefined;
    throw error;
  }
}

/** Bytes: of the disk, and of what it takes at the least without the page cache. */
export async function shapeOf(path: string, sys: string): Promise<{ size: number; block: number }> {
  const file = await open(path, constants.O_RDONLY);
  try {
    const stat = await file.stat();
    if (!stat.isBlockDevice()) return { size: stat.size, block: FILE_BLOCK };
    const base = `${sys}/class/block/${basename(path)}`;
    const number = async (name: string): Promise<number> =>
      Number(await readFile(`${base}/${name}`, 'latin1'));
    return {
      size: (await number('size')) * SYS_SECTOR,
      block: await number('queue/logical_block_size'),
    };
  } finally {
    await file.close();
  }
}
