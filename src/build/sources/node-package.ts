import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { npmPack } from '../../../bin/pinned-node.js';
import { FwError } from '../../errors.ts';
import type { Cache } from '../cache.ts';
import { integrityOf, sha256 } from '../hash.ts';
import type { Lock } from '../lock.ts';
import { writeWhole } from '../whole-file.ts';

/** Where the downloaded tarball is kept: the one hash that npm gives is not fit for a file's name. */
export function nodePath(node: Lock['node'], cache: Cache): string {
  return cache.path('downloads', nodeKey(node));
}

function nodeKey(node: Lock['node']): string {
  return sha256(node.integrity);
}

/** The package from the cache, uncompressed (a tar); undefined where it is not there, or damaged. */
export async function cachedNode(node: Lock['node'], cache: Cache): Promise<Buffer | undefined> {
  const cached = await readFile(nodePath(node, cache)).catch(() => undefined);
  if (!cached || integrityOf(cached) !== node.integrity) return undefined;
  await cache.used('downloads', nodeKey(node));
  return gunzipSync(cached);
}

/**
 * The pinned Node's npm package, uncompressed (a tar): fetched by the user's own npm, checked, kept.
 * @throws FwError `node-unavailable`
 */
export async function fetchNode(node: Lock['node'], cache: Cache): Promise<Buffer> {
  const cached = await cachedNode(node, cache);
  if (cached) return cached;
  let tarball: Buffer;
  try {
    tarball = await npmPack(node.package, node.version, node.integrity);
  } catch (error) {
    throw new FwError('node-unavailable', (error as Error).message, {
      where: `${node.package}@${node.version}`,
      expected: node.integrity,
      remedy: 'Check the network and npm’s configuration (npm config list), then run the command again.',
      cause: error,
    });
  }
  await writeWhole(nodePath(node, cache), [tarball]);
  return gunzipSync(tarball);
}
