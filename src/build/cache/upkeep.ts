import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FwError } from '../../errors.ts';
import { parseSize } from '../../project/size.ts';
import type { Cache } from '../cache.ts';
import { writeWhole } from '../whole-file.ts';
import { pruneCache, type Removed } from './prune.ts';

/** A dozen systems with every firmware of a month. */
const DEFAULT_LIMIT = 10 * 1024 ** 3;
const INTERVAL_MS = 3_600_000;

/** A stamp, and what tells backup programs to pass over the folder (bford.info/cachedir). */
const STAMP = 'CACHEDIR.TAG';
const TAG =
  'Signature: 8a477f597d28d172789f06886806bc55\n# The cache of Hearth (fw). All of it can be made again: fw clean --cache\n';

/**
 * How large the cache may grow, bytes: HEARTH_CACHE_LIMIT.
 * @throws FwError `bad-cache-limit`
 */
export function cacheLimit(env: NodeJS.ProcessEnv = process.env): number {
  const wanted = env.HEARTH_CACHE_LIMIT;
  if (!wanted) return DEFAULT_LIMIT;
  const bytes = parseSize(wanted);
  if (bytes !== undefined) return bytes;
  throw new FwError('bad-cache-limit', `HEARTH_CACHE_LIMIT is '${wanted}'`, {
    where: 'HEARTH_CACHE_LIMIT',
    expected: "a size such as '20 GiB' or '500 MiB'",
    remedy: 'Correct the variable, or unset it: the limit is then 10 GiB.',
  });
}

/**
 * Keeps the cache within its limit: for the end of a build. Looks at it only when something was written, and at most once
 * an hour: walking it takes longer than a rebuild should.
 */
export async function tendCache(
  cache: Cache,
  limit: number,
  nowMs = Date.now(),
): Promise<Removed | undefined> {
  if (!cache.written) return undefined;
  const stamp = join(cache.dir, STAMP);
  const last = await stat(stamp).catch(() => undefined);
  if (last && Math.abs(nowMs - last.mtimeMs) < INTERVAL_MS) return undefined;
  // Before the work, so that of several builds one does it.
  await writeWhole(stamp, [Buffer.from(TAG)]);
  return pruneCache(cache.dir, limit, nowMs);
}
