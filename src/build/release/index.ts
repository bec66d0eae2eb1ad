import { createHash } from 'node:crypto';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDir } from '../../../bin/pinned-node.js';
import type { ReleaseInfo } from '../../device/server/release.ts';
import type { DirNode } from '../../formats/tree.ts';
import type { Project } from '../../project/load.ts';
import { bundleApp, bundleHearthd } from '../bundle/index.ts';
import { cacheLimit, tendCache } from '../cache/upkeep.ts';
import { Cache } from '../cache.ts';
import type { OnProgress } from '../progress.ts';
import { writeMaps } from '../source-maps.ts';
import { sourcesOf } from '../sources/index.ts';
import { readHeart } from '../system/heart.ts';
import { loadTarget } from '../targets.ts';
import { file, insert, treeHash, walk } from '../tree.ts';
import { uuidFromHash } from '../uuid.ts';
import { diskError, writeWhole } from '../whole-file.ts';
import { packRelease } from './archive.ts';
import { releaseContents } from './contents.ts';
import { obtainNode } from './node.ts';
import { releaseTarget } from './targets.ts';

export interface ReleaseOptions {
  target: string;
  /** The folder that gets both; default: the project's. */
  out?: string;
  /** Use no network. HEARTH_OFFLINE says the same. */
  offline?: boolean;
  onProgress?: OnProgress;
}

export interface ReleaseResult {
  /** The folder, ready to be started. */
  folder: string;
  /** The same as one .tar.gz. */
  archive: string;
  /** Bytes of the archive. */
  size: number;
  sha256: string;
  name: string;
  version: string;
  target: string;
  /** Built with FW_ENV `dev`, because the project says `dev: true`. */
  dev: boolean;
  id: string;
  /** Version of the Node inside. */
  node: string;
}

/** Writes a self-contained release of a project's app for Linux servers. Same inputs, same bytes. */
export async function releaseApp(project: Project, options: ReleaseOptions): Promise<ReleaseResult> {
  const { name: target, arch, board } = releaseTarget(options.target);
  const { config } = project;
  const tell = options.onProgress ?? (() => {});
  const sources = sourcesOf(process.env, { offline: options.offline ?? false, projectDir: project.dir });
  const loaded = await loadTarget(board);
  const cache = new Cache(cacheDir());
  const limit = cacheLimit();
  const node = await obtainNode(loaded, cache, sources, tell);

  tell({ step: 'bundling the app' });
  const [hearthd, app] = await Promise.all([bundleHearthd('device/server'), bundleApp(project, arch)]);
  const { beatTimeoutMs, maxRestarts, restartWindowMs, stopTimeoutMs, env } = config.app;
  const info: Omit<ReleaseInfo, 'id'> = {
    name: config.name,
    version: config.version,
    target,
    env: config.dev ? 'dev' : 'prod',
    node: loaded.lock.node.version,
    app: { beatTimeoutMs, maxRestarts, restartWindowMs, stopTimeoutMs, env },
  };
  const root = await releaseContents({ project, info, app, hearthd, heart: readHeart(arch), node });
  const hash = createHash('sha256').update(treeHash(root)).update(JSON.stringify(info));
  const id = uuidFromHash(hash.digest());
  insert(root, 'lib/release.json', file(`${JSON.stringify({ ...info, id }, null, 2)}\n`));

  tell({ step: 'writing the release' });
  const title = `${info.name}-${info.version}-${target}`;
  const folder = join(options.out ?? project.dir, title);
  await writeFolder(root, folder);
  const archive = `${folder}.tar.gz`;
  const pieces = await packRelease(root, title, { path: 'lib/node', node: node.program }, cache);
  await writeWhole(archive, pieces);
  await writeMaps(`${folder}.map`, { app, hearthd });
  await tendCache(cache, limit);
  const sum = createHash('sha256');
  for (const piece of pieces) sum.update(piece);
  return {
    folder,
    archive,
    size: pieces.reduce((bytes, piece) => bytes + piece.length, 0),
    sha256: sum.digest('hex'),
    name: info.name,
    version: info.version,
    target,
    dev: config.dev,
    id,
    node: info.node,
  };
}

/** Whole or not at all, in the place of what was there: nothing of an older release of that version is left in it. */
async function writeFolder(root: DirNode, folder: string): Promise<void> {
  const making = `${folder}.making-${process.pid}`;
  try {
    await mkdir(making, { recursive: true });
    await chmod(making, root.mode);
    for (const [name, node] of walk(root)) {
      const path = join(making, name);
      if (node.type === 'dir') await mkdir(path);
      else if (node.type === 'file') await writeFile(path, await node.content.read());
      // Modes must not come from the umask of whoever builds: another user runs it.
      await chmod(path, node.mode);
    }
    await rm(folder, { recursive: true, force: true });
    await rename(making, folder);
  } catch (error) {
    throw diskError(error, folder);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}
