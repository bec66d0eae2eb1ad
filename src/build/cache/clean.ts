import { rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { KINDS } from '../cache.ts';
import { type Contents, cacheContents, folders } from './contents.ts';
import { abandoned, isRunning, unusedFor } from './prune.ts';

/** Who asks for an empty cache does not want to wait an hour for the part of a build that was just killed. */
const UNTOUCHED_MS = 60_000;

/**
 * What `fw clean` takes from a cache: entries that were not used for `unusedMs`, and what killed processes have left.
 * The Node that fw itself runs with stays: another fw may be about to start with it.
 */
export async function cleanable(
  dir: string,
  unusedMs: number,
  nowMs: number,
  execPath = process.execPath,
): Promise<Contents> {
  const { entries, leftovers } = await cacheContents(dir);
  const own = dirname(dirname(execPath));
  return {
    entries: unusedFor(entries, unusedMs, nowMs).filter(({ path }) => path !== own),
    leftovers: abandoned(leftovers, nowMs, isRunning, UNTOUCHED_MS),
  };
}

/** Takes empty folders away. Who is about to write into one makes it again. */
export async function removeEmptyFolders(dir: string): Promise<void> {
  const top = await folders(dir);
  for (const kind of KINDS.filter((name) => top.includes(name))) {
    for (const shard of await folders(join(dir, kind))) await removeIfEmpty(join(dir, kind, shard));
    await removeIfEmpty(join(dir, kind));
  }
}

async function removeIfEmpty(path: string): Promise<void> {
  await rmdir(path).catch((error: NodeJS.ErrnoException) => {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EACCES', 'EPERM', 'EROFS'].includes(error.code ?? ''))
      throw error;
  });
}
