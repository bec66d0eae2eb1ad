import { stat } from 'node:fs/promises';
import type { Cache } from '../cache.ts';
import type { Lock } from '../lock.ts';
import { nodePath } from './node-package.ts';

/** A download that a lock needs and that the cache does not have. */
export interface Missing {
  name: string;
  version: string;
  /** Bytes. */
  size: number;
}

/** What would have to be fetched for a lock. By name and size; that the bytes are right is found when they are used. */
export async function missingDownloads({ packages, node }: Lock, cache: Cache): Promise<Missing[]> {
  const wanted = [
    ...packages.map(({ name, version, size, sha256 }) => ({
      name,
      version,
      size,
      path: cache.path('downloads', sha256),
    })),
    { ...nodeDownload(node), path: nodePath(node, cache) },
  ];
  const present = await Promise.all(wanted.map(async ({ path, size }) => (await sizeOf(path)) === size));
  return wanted
    .filter((_, index) => !present[index])
    .map(({ name, version, size }) => ({ name, version, size }));
}

export function nodeDownload({ package: name, version, size }: Lock['node']): Missing {
  return { name, version, size };
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
