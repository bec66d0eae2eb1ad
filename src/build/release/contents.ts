import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ReleaseInfo } from '../../device/server/release.ts';
import { FwError } from '../../errors.ts';
import type { DirNode } from '../../formats/tree.ts';
import type { Project } from '../../project/load.ts';
import type { Bundle, HearthdBundle } from '../bundle/index.ts';
import { bundledPackages, packageId } from '../inventory/npm.ts';
import { directory, file, insert } from '../tree.ts';
import type { PinnedNode } from './node.ts';

const TOOLKIT = new URL('../../../', import.meta.url);
const OURS = new URL('firmware/release/', TOOLKIT);
const MUSL = new URL('firmware/heart/prebuilt/musl.copyright', TOOLKIT);

/** The folder of a project whose files go into its releases: `env.sh`, `node.args`, `hooks/`. */
const OWN_FOLDER = 'release';
const HOOKS = ['pre_start', 'post_start', 'pre_stop'];

export interface ReleaseParts {
  project: Project;
  info: Omit<ReleaseInfo, 'id'>;
  app: Bundle;
  hearthd: HearthdBundle;
  heart: Uint8Array;
  node: PinnedNode;
}

/** All files of a release but for the one that names it. */
export async function releaseContents(parts: ReleaseParts): Promise<DirNode> {
  const { project, info, app, hearthd, heart, node } = parts;
  const root = directory();
  insert(root, `bin/${info.name}`, file(readFileSync(new URL('control.sh', OURS)), 0o755));
  insert(root, 'bin/deploy.sh', file(readFileSync(new URL('deploy.sh', OURS)), 0o755));
  insert(root, 'lib/node', node.program);
  insert(root, 'lib/heart', file(heart, 0o755));
  for (const [name, bytes] of hearthd.files) insert(root, `lib/${name}`, file(bytes));
  insert(root, 'lib/app.mjs', file(app.code));
  insert(root, 'lib/config.json', file(`${JSON.stringify(project.config.config)}\n`));
  for (const [name, bytes] of app.addons) insert(root, `lib/${name}`, file(bytes, 0o755));
  insert(root, 'lib/release.env', file(shellVariables(info)));
  await addOwn(root, project);
  await addLicences(root, parts);
  return root;
}

/** What the shell script needs to know, without having to read JSON. */
function shellVariables({ name, version, app }: Omit<ReleaseInfo, 'id'>): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
  const stopSeconds = Math.ceil(app.stopTimeoutMs / 1000);
  return `NAME=${quoted(name)}\nVERSION=${quoted(version)}\nSTOP_SECONDS=${stopSeconds}\n`;
}

/** The operator's files: the project's, or empty ones that say what they are for. */
async function addOwn(root: DirNode, { dir, config }: Project): Promise<void> {
  const own = (name: string): Promise<Buffer> => {
    const path = join(dir, OWN_FOLDER, name);
    return readFile(existsSync(path) ? path : new URL(name, OURS));
  };
  insert(root, 'env.sh', file(await own('env.sh')));
  const args = config.app.nodeArgs.map((each) => `${each}\n`).join('');
  insert(root, 'node.args', file(Buffer.concat([await own('node.args'), Buffer.from(`\n${args}`)])));
  insert(root, 'hooks', directory());
  const hooks = join(dir, OWN_FOLDER, 'hooks');
  for (const name of existsSync(hooks) ? (await readdir(hooks)).sort() : []) {
    // Not every file system of a developer knows that a file is a program: these names say it.
    insert(
      root,
      `hooks/${name}`,
      file(await readFile(join(hooks, name)), HOOKS.includes(name) ? 0o755 : 0o644),
    );
  }
}

async function addLicences(root: DirNode, { project, app, hearthd, node }: ReleaseParts): Promise<void> {
  const own = ['LICENSE', '../LICENSE'].map((path) => new URL(path, TOOLKIT)).find((url) => existsSync(url));
  if (!own)
    throw new FwError('toolkit-damaged', 'hearthfw lacks its LICENSE', {
      where: fileURLToPath(TOOLKIT),
      remedy: 'Install hearthfw again.',
    });
  insert(root, 'licences/hearthfw', file(readFileSync(own)));
  insert(root, 'licences/musl', file(readFileSync(MUSL)));
  insert(root, 'licences/node', node.licence);
  const found = await bundledPackages([
    { by: 'app', files: [...app.inputs, ...app.addonSources.values()], project: realpathSync(project.dir) },
    { by: 'hearthd', files: hearthd.inputs, project: fileURLToPath(TOOLKIT).replace(/[\\/]$/, '') },
  ]);
  for (const each of found) {
    for (const [name, bytes] of each.texts)
      insert(root, `licences/npm/${packageId(each)}/${name}`, file(bytes));
  }
}
