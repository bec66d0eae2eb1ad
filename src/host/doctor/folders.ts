import { constants } from 'node:fs';
import { access, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheContents, folders } from '../../build/cache/contents.ts';
import { cacheLimit } from '../../build/cache/upkeep.ts';
import { KINDS } from '../../build/cache.ts';
import { shellWord } from '../../shell-words.ts';
import { type Finding, note, ok, problem, problemOf } from './finding.ts';
import type { Host } from './host.ts';

/** A firmware, twice while it is written, and what the cache keeps of it. */
const BUILD_BYTES = 250e6;
/** Packages, what is unpacked from them, and that compressed. */
const SYSTEM_BYTES = 600e6;
/** An emulated disk grows up to it. */
const RUN_BYTES = 4 * 1024 ** 3;

const reason = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message;

/** Whether the cache can be written, and how large it is. */
export async function checkCache(
  host: Host,
  dir: string,
  mayWrite: (path: string) => Promise<void> = (path) => access(path, constants.W_OK),
): Promise<Finding[]> {
  try {
    const limit = cacheLimit(host.env);
    const closed = await firstUnwritable(dir, mayWrite);
    if (closed) return [notWritable(host, dir, closed)];
    const { entries } = await cacheContents(dir);
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    return [ok('cache', `${dir}: ${amount(bytes)} of at most ${amount(limit)}`)];
  } catch (error) {
    return [problemOf(error, 'cache', 'fw build')];
  }
}

/** Of the cache, the folders in it, and where there is none yet, the folder that it would be made in. */
async function firstUnwritable(
  dir: string,
  mayWrite: (path: string) => Promise<void>,
): Promise<{ path: string; why: string } | undefined> {
  const start = await nearestFolder(dir);
  const inside = start === dir ? await foldersBelow(dir) : [];
  for (const path of [start, ...inside]) {
    try {
      await mayWrite(path);
    } catch (error) {
      return { path, why: reason(error) };
    }
  }
  if (!(await stat(start)).isDirectory()) return { path: start, why: 'ENOTDIR' };
  return undefined;
}

async function foldersBelow(dir: string): Promise<string[]> {
  const top = await folders(dir);
  const kinds = KINDS.filter((kind) => top.includes(kind)).map((kind) => join(dir, kind));
  const shards = await Promise.all(
    kinds.map(async (kind) => (await folders(kind)).map((name) => join(kind, name))),
  );
  return [...kinds, ...shards.flat()];
}

function notWritable(host: Host, dir: string, { path, why }: { path: string; why: string }): Finding {
  const remedy =
    why === 'EACCES' && path.startsWith(dir)
      ? `sudo chown -R $USER ${shellWord(dir)}`
      : 'Name a folder that you may write to in HEARTH_CACHE.';
  return problem(
    'cache',
    'fw build',
    `${path} cannot be written (${why})`,
    host.root && why === 'EACCES' ? 'Name another folder in HEARTH_CACHE.' : remedy,
  );
}

/** How much room there is for the cache and for the project: one finding where both are on one disk. */
export async function checkSpace(
  cache: string,
  project: string,
  systemsMissing: number,
  free: (path: string) => Promise<number> = freeBytes,
): Promise<Finding[]> {
  const cacheNeeds = BUILD_BYTES + systemsMissing * SYSTEM_BYTES;
  const [atCache, atProject] = [await nearestFolder(cache), await nearestFolder(project)];
  if ((await stat(atCache)).dev === (await stat(atProject)).dev)
    return [judge('disk space', project, await free(atProject), cacheNeeds)];
  return [
    judge('disk space', cache, await free(atCache), cacheNeeds),
    judge('disk space', project, await free(atProject), BUILD_BYTES),
  ];
}

function judge(check: string, path: string, free: number, needed: number): Finding {
  const text = `${amount(free)} are free for ${path}`;
  const remedy = 'Make room: fw clean, or fw clean --cache --older-than 30d';
  if (free < needed)
    return problem(check, 'fw build', `${text}; a build takes up to ${amount(needed)}`, remedy);
  if (free < RUN_BYTES)
    return note(check, `${text}; the disk of fw run may grow to ${amount(RUN_BYTES)}`, remedy);
  return ok(check, text);
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** The path, or what of it exists. */
async function nearestFolder(path: string): Promise<string> {
  for (let at = path; ; at = dirname(at)) {
    const found = await stat(at).catch(() => undefined);
    if (found || dirname(at) === at) return at;
  }
}

function amount(bytes: number): string {
  return bytes < 1e9 ? `${Math.round(bytes / 1e6)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;
}
