import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { FwError } from '../../errors.ts';
import type { Cache } from '../cache.ts';
import { sha256 } from '../hash.ts';
import type { LockedPackage } from '../lock.ts';
import { writeWhole } from '../whole-file.ts';
import { mirrors } from './mirrors.ts';

/** What the fetcher tells whoever watches: bytes so far of a download. */
export type Progress = (name: string, received: number, total: number) => void;

/** Where packages come from, and how to wait; a test passes its own. */
export interface Source {
  mirrors(archive: LockedPackage['archive']): string[];
  wait(ms: number): Promise<void>;
  /** How long a server may be silent. */
  idleMs: number;
}
const network: Source = { mirrors, wait: delay, idleMs: 60_000 };

/** The bytes of a locked package from the cache; undefined where it is not there, or damaged. */
export async function cachedPackage(pkg: LockedPackage, cache: Cache): Promise<Buffer | undefined> {
  const cached = await readFile(cache.path('downloads', pkg.sha256)).catch(() => undefined);
  if (!cached || sha256(cached) !== pkg.sha256) return undefined;
  await cache.used('downloads', pkg.sha256);
  return cached;
}

/**
 * The bytes of a locked Debian package: from the cache, else from the mirrors in turn. What is returned has the
 * locked hash, whoever delivered it; what does not is never written.
 * @throws FwError `package-unavailable` naming the package, its hash and what each mirror said; `no-mirror`
 */
export async function fetchPackage(
  pkg: LockedPackage,
  cache: Cache,
  progress: Progress,
  source: Source = network,
): Promise<Buffer> {
  const cached = await cachedPackage(pkg, cache);
  if (cached) return cached;

  const file = pkg.path.split('/').at(-1) ?? pkg.path;
  const failures: string[] = [];
  for (const base of source.mirrors(pkg.archive)) {
    const url = `${base}/${pkg.path}`;
    try {
      const bytes = await download(url, pkg.size, source, (received) => progress(file, received, pkg.size));
      const actual = sha256(bytes);
      if (actual === pkg.sha256) {
        await writeWhole(cache.path('downloads', pkg.sha256), [bytes]);
        return bytes;
      }
      failures.push(`${url}: SHA-256 is ${actual}`);
    } catch (error) {
      if (error instanceof FwError) throw error;
      failures.push(`${url}: ${explain(error)}`);
    }
  }
  throw new FwError('package-unavailable', `${file} could not be fetched:\n  ${failures.join('\n  ')}`, {
    where: pkg.path,
    expected: `${pkg.size} bytes with SHA-256 ${pkg.sha256}`,
    remedy:
      'Check the network. Where the mirror no longer has this version, name another in HEARTH_DEBIAN_MIRROR ' +
      '(a snapshot of the lock’s date will have it), or use a newer hearthfw; its maintainers run `npm run lock`.',
  });
}

const ATTEMPTS = 4;

/** One address, with retries and back-off for what may pass: the connection, and answers 429 and 5xx. */
async function download(
  url: string,
  size: number,
  source: Source,
  onBytes: (received: number) => void,
): Promise<Buffer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await downloadOnce(url, size, source.idleMs, onBytes);
    } catch (error) {
      if (attempt === ATTEMPTS || error instanceof PermanentError) throw error;
      await source.wait(500 * 2 ** attempt);
    }
  }
}

class PermanentError extends Error {}

async function downloadOnce(
  url: string,
  size: number,
  idleMs: number,
  onBytes: (received: number) => void,
): Promise<Buffer> {
  const abort = new AbortController();
  // Slow is fine, silent is not: the clock starts again with every piece.
  const idle = setTimeout(
    () => abort.abort(new Error(`the server was silent for ${idleMs / 1000} s`)),
    idleMs,
  );
  try {
    const response = await fetch(url, { signal: abort.signal });
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      const passing = response.status === 429 || response.status >= 500;
      const error = `the server answered ${response.status} ${response.statusText}`;
      throw passing ? new Error(error) : new PermanentError(error);
    }
    const pieces: Uint8Array[] = [];
    let received = 0;
    for await (const piece of response.body as AsyncIterable<Uint8Array>) {
      received += piece.length;
      if (received > size) throw new PermanentError(`the server sent more than the locked ${size} bytes`);
      pieces.push(piece);
      onBytes(received);
      idle.refresh();
    }
    if (received < size) throw new Error(`the connection ended after ${received} of ${size} bytes`);
    return Buffer.concat(pieces);
  } finally {
    clearTimeout(idle);
  }
}

/** `fetch failed` hides what failed in its cause. */
function explain(error: unknown): string {
  const cause = (error as Error).cause;
  return cause instanceof Error ? `${(error as Error).message}: ${cause.message}` : (error as Error).message;
}
