import { lstat, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { USE_PRECISION_MS } from '../cache.ts';
import { type Contents, cacheContents, type Entry, type Leftover } from './contents.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * What a build may be using is not removed. Were it removed all the same (a build that takes longer), it would be made
 * anew: an entry that is gone is a miss, and a system that lacks a file is made again.
 */
const IN_USE_MS = USE_PRECISION_MS + HOUR_MS;

/** Process ids tell nothing about the other containers and machines that may share a cache: time does. */
const UNTOUCHED_MS = HOUR_MS;
const ABANDONED_MS = DAY_MS;

/** The least recently used entries, as many as are too many for `limit` bytes. */
export function overLimit(entries: readonly Entry[], limit: number, nowMs: number): Entry[] {
  let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  const oldest = entries.toSorted((a, b) => a.usedMs - b.usedMs);
  return oldest.filter((entry) => {
    if (total <= limit || Math.abs(nowMs - entry.usedMs) < IN_USE_MS) return false;
    total -= entry.bytes;
    return true;
  });
}

/** Entries that were not used for so long; a date as far in the future comes from a clock that was wrong, and says nothing. */
export function unusedFor(entries: readonly Entry[], ms: number, nowMs: number): Entry[] {
  return entries.filter(({ usedMs }) => Math.abs(nowMs - usedMs) >= ms);
}

/** What killed processes have left, and nobody goes on writing. */
export function abandoned(
  leftovers: readonly Leftover[],
  nowMs: number,
  runs: (pid: number) => boolean,
  untouchedMs = UNTOUCHED_MS,
): Leftover[] {
  return leftovers.filter(({ pid, changedMs }) => {
    const age = Math.abs(nowMs - changedMs);
    return age > ABANDONED_MS || (age > untouchedMs && pid !== undefined && !runs(pid));
  });
}

export interface Removed {
  entries: Entry[];
  leftovers: Leftover[];
  /** Of both. */
  bytes: number;
  /** What could not be removed, and why: another user's, say. */
  failed: { path: string; reason: string }[];
}

/** Brings the cache down to `limit` bytes, and sweeps what killed processes have left. */
export async function pruneCache(dir: string, limit: number, nowMs: number): Promise<Removed> {
  const { entries, leftovers } = await cacheContents(dir);
  return remove({
    entries: overLimit(entries, limit, nowMs),
    leftovers: abandoned(leftovers, nowMs, isRunning),
  });
}

/** Removes what was found. An entry that has been used since then stays. */
export async function remove(found: Contents): Promise<Removed> {
  const removed: Removed = { entries: [], leftovers: [], bytes: 0, failed: [] };
  const attempt = async <T extends Entry | Leftover>(one: T, list: T[], work: () => Promise<boolean>) => {
    try {
      if (!(await work())) return;
      list.push(one);
      removed.bytes += one.bytes;
    } catch (error) {
      removed.failed.push({ path: one.path, reason: (error as Error).message });
    }
  };
  for (const entry of found.entries) await attempt(entry, removed.entries, () => removeEntry(entry));
  for (const leftover of found.leftovers) {
    await attempt(leftover, removed.leftovers, async () => {
      await rm(leftover.path, { recursive: true, force: true });
      return true;
    });
  }
  return removed;
}

async function removeEntry({ kind, path, usedMs }: Entry): Promise<boolean> {
  const now = await lstat(path).catch(() => undefined);
  if (now?.mtimeMs !== usedMs) return false;
  if (kind !== 'node' && kind !== 'compiled') {
    await rm(path, { force: true });
    return true;
  }
  // Under its name it is there whole or not at all, also when this is killed half-way.
  const aside = join(
    dirname(path),
    `part-${process.pid}-${Math.random().toString(36).slice(2, 8).padEnd(6, '0')}`,
  );
  await rename(path, aside);
  await rm(aside, { recursive: true, force: true });
  return true;
}

/** Whether a process of this id runs here; another user's does, too. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
