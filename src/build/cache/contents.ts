import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { KINDS } from '../cache.ts';
import { ifPresent } from '../present.ts';

/**
 * What of a cache folder is Hearth's own, by shape. HEARTH_CACHE may name a folder that holds other things, and kinds may
 * be links to a shared disk: neither strange names nor links are ever looked into.
 */
export interface Contents {
  entries: Entry[];
  leftovers: Leftover[];
}

/** A value, whole. `node` is the pinned Node that older ones start fw with, `compiled` what a Node has compiled of fw. */
export interface Entry {
  kind: (typeof KINDS)[number] | FolderKind;
  /** A file, or the folder of one version of Node. */
  path: string;
  bytes: number;
  /** When it was last used, to USE_PRECISION_MS. */
  usedMs: number;
}

/** What a process writes, or wrote when it was killed: nothing reads it under this name. */
export interface Leftover {
  path: string;
  bytes: number;
  /** Whose it is; unknown where the name does not say. */
  pid: number | undefined;
  changedMs: number;
}

const SHARD = /^[\w-]{2}$/;
/** A hash, and whatever else the value depends on. */
const KEY = /^[\w.-]*[0-9a-f]{40}[\w.-]*$/;
const PART = /\.part-(\d+)-[0-9a-f]{8}$/;
const NPM_FOLDER = /^npm-(?:(\d+)-)?[A-Za-z0-9]{6}$/;
const STAGING = /^part-(?:(\d+)-)?[A-Za-z0-9]{6}$/;
const FOLDERS = { node: /^\d+\.\d+\.\d+-[a-z]+-[a-z0-9]+$/, compiled: /^v\d+\.\d+\.\d+-[\w-]+$/ };
const FOLDER_KINDS = ['node', 'compiled'] as const;
type FolderKind = (typeof FOLDER_KINDS)[number];

/** Reads the cache's folders, and no file. What another process removes meanwhile is not in it. */
export async function cacheContents(dir: string): Promise<Contents> {
  const contents: Contents = { entries: [], leftovers: [] };
  const top = await folders(dir);
  for (const kind of KINDS.filter((name) => top.includes(name))) {
    const shards = (await folders(join(dir, kind))).filter((name) => SHARD.test(name));
    for (const shard of shards) await readShard(join(dir, kind, shard), kind, shard, contents);
  }
  for (const name of top) await addLeftover(join(dir, name), NPM_FOLDER.exec(name), contents);
  for (const kind of FOLDER_KINDS.filter((name) => top.includes(name))) {
    for (const name of await folders(join(dir, kind))) {
      const path = join(dir, kind, name);
      await addLeftover(path, STAGING.exec(name), contents);
      const found = FOLDERS[kind].test(name) ? await measure(path) : undefined;
      if (found) contents.entries.push({ kind, path, bytes: found.bytes, usedMs: found.changedMs });
    }
  }
  return contents;
}

async function readShard(
  folder: string,
  kind: Entry['kind'],
  shard: string,
  { entries, leftovers }: Contents,
): Promise<void> {
  const names = (await readdir(folder).catch(ifPresent)) ?? [];
  await Promise.all(
    names
      .filter((name) => name.startsWith(shard))
      .map(async (name) => {
        const path = join(folder, name);
        const part = PART.exec(name);
        if (!KEY.test(part ? name.slice(0, part.index) : name)) return;
        const found = await lstat(path).catch(ifPresent);
        if (!found?.isFile()) return;
        if (part) leftovers.push({ path, bytes: found.size, pid: Number(part[1]), changedMs: found.mtimeMs });
        else entries.push({ kind, path, bytes: found.size, usedMs: found.mtimeMs });
      }),
  );
}

async function addLeftover(
  path: string,
  match: RegExpExecArray | null,
  { leftovers }: Contents,
): Promise<void> {
  if (!match) return;
  const found = await measure(path);
  if (found) leftovers.push({ path, ...found, pid: match[1] === undefined ? undefined : Number(match[1]) });
}

/** A folder's size, and its own time: Node's is marked when it is used, the others' changes when something is added. */
async function measure(path: string): Promise<{ bytes: number; changedMs: number } | undefined> {
  const found = await lstat(path).catch(ifPresent);
  if (!found) return undefined;
  const below = (await readdir(path, { recursive: true }).catch(ifPresent)) ?? [];
  const sizes = await Promise.all(
    below.map(async (name) => {
      const inside = await lstat(join(path, name)).catch(ifPresent);
      return inside?.isFile() ? inside.size : 0;
    }),
  );
  return { bytes: sizes.reduce((sum, size) => sum + size, 0), changedMs: found.mtimeMs };
}

/** Names of real folders in a folder; links are not followed. */
export async function folders(path: string): Promise<string[]> {
  const found = (await readdir(path, { withFileTypes: true }).catch(ifPresent)) ?? [];
  return found.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
