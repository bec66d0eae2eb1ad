import { lstat, open, readdir, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MEMBER } from '../archive/layout.ts';
import { isRunning } from './cache/prune.ts';
import { type Claim, claim } from './claim.ts';
import { MAP_FILE } from './source-maps.ts';
import { targetNames } from './targets.ts';

/** What builds and runs of a project have left in its folder. All of it can be made again, but for the /data of a disk. */
export interface ProjectLeftover {
  what: 'disk' | 'firmware' | 'source maps' | 'part';
  path: string;
  /** That it takes on the disk: an image of an emulated disk has holes. */
  bytes: number;
}

const BLOCK_BYTES = 512;

/**
 * Finds what `fw` made in a project's folder: emulated disks in .hearth/run, and of the product `name` firmware under
 * the names that a build gives it, their source maps, and parts of them that killed builds have left.
 */
export async function projectLeftovers(dir: string, name: string): Promise<ProjectLeftover[]> {
  const found: ProjectLeftover[] = [];
  const add = async (what: ProjectLeftover['what'], path: string): Promise<void> => {
    found.push({ what, path, bytes: await bytesOnDisk(path) });
  };
  const run = runFolder(dir);
  for (const entry of await list(run)) if (entry.isDirectory()) await add('disk', join(run, entry.name));
  for (const entry of (await list(dir)).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(dir, entry.name);
    const kind = kindOf(entry.name, name);
    if (kind === 'firmware' && entry.isFile() && (await isFirmware(path))) await add(kind, path);
    if (kind === 'part' && entry.isFile()) await add(kind, path);
    if (kind === 'source maps' && entry.isDirectory() && (await holdsOnlyMaps(path))) await add(kind, path);
  }
  return found;
}

/**
 * Removes what was found in a project's folder.
 * @throws FwError `already-running`, before anything is removed, when a machine runs on one of the disks
 */
export async function removeLeftovers(dir: string, leftovers: readonly ProjectLeftover[]): Promise<void> {
  const claims: Claim[] = [];
  try {
    for (const { what, path } of leftovers)
      if (what === 'disk') claims.push(await claim(path, 'the emulated machine of this project'));
    for (const { path } of leftovers) await rm(path, { recursive: true, force: true });
  } finally {
    for (const { release } of claims) release();
  }
  for (const folder of [runFolder(dir), join(dir, '.hearth')]) {
    await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(error.code ?? '')) throw error;
    });
  }
}

function runFolder(dir: string): string {
  return join(dir, '.hearth', 'run');
}

/** By its name: NAME-VERSION-TARGET.fw, as builds name it, and what belongs to that. */
function kindOf(file: string, product: string): ProjectLeftover['what'] | undefined {
  const targets = targetNames().join('|');
  const pattern = new RegExp(
    `^${product}-\\d+\\.\\d+\\.\\d+[0-9A-Za-z.+-]*-(?:${targets})\\.fw(\\.map)?(?:\\.part-(\\d+)-[0-9a-f]{8})?$`,
  );
  const match = pattern.exec(file);
  if (!match) return undefined;
  const [, map, pid] = match;
  if (pid !== undefined) return map || isRunning(Number(pid)) ? undefined : 'part';
  return map ? 'source maps' : 'firmware';
}

/** A .fw is a tar file that begins with its manifest. */
async function isFirmware(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer } = await file.read(Buffer.alloc(100), 0, 100, 0);
  return buffer.toString('latin1').replace(/\0.*$/s, '') === MEMBER.manifest;
}

async function holdsOnlyMaps(path: string): Promise<boolean> {
  return (await readdir(path)).every((name) => MAP_FILE.test(name));
}

async function bytesOnDisk(path: string): Promise<number> {
  const found = await lstat(path);
  if (!found.isDirectory()) return found.blocks * BLOCK_BYTES;
  const names = await readdir(path);
  const sizes = await Promise.all(names.map((name) => bytesOnDisk(join(path, name))));
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function list(path: string) {
  return readdir(path, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
}
