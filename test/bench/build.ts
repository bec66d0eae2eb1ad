import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDir } from '../../bin/pinned-node.js';
import { temporaryFolder } from '../firmware.ts';
import { type Figure, median, seconds } from './figure.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const REBUILDS = 7;

/** Whole commands, as a user runs them: process start to finished .fw. */
export async function benchBuild(): Promise<Figure[]> {
  await using folder = await temporaryFolder();
  const project = join(folder.path, 'apps', 'hello');
  await cp(join(ROOT, 'firmware', 'apps'), join(folder.path, 'apps'), { recursive: true });
  const build = (env: NodeJS.ProcessEnv = {}): Promise<unknown> =>
    promisify(execFile)(
      process.execPath,
      [join(ROOT, 'bin', 'fw.js'), 'build', '--app', project, '--target', 'x86_64', '--json'],
      {
        env: { ...process.env, ...env },
      },
    );
  await build();

  // Everything downloaded, nothing derived: a cache with a link to the downloads and nothing else.
  const fresh = join(folder.path, 'cache');
  await mkdir(fresh);
  await symlink(join(cacheDir(), 'downloads'), join(fresh, 'downloads'));
  const first = await seconds(() => build({ HEARTH_CACHE: fresh }));

  const app = join(project, 'src', 'app.ts');
  const source = await readFile(app, 'utf8');
  const rebuilds: number[] = [];
  for (let run = 0; run < REBUILDS; run++) {
    await writeFile(app, source.replace("'serving'", `'serving, edit ${run} of ${Date.now()}'`));
    rebuilds.push(await seconds(build));
  }
  const { size } = await stat(join(project, 'hello-1.0.0-x86_64.fw'));
  return [
    {
      name: 'rebuild after a one-line edit, to the finished .fw',
      value: median(rebuilds),
      unit: 's',
      runs: REBUILDS,
      goal: '< 2 s, aim 1 s',
    },
    { name: 'first system build, packages downloaded', value: first, unit: 's', runs: 1, goal: '< 75 s' },
    { name: 'size of the x86_64 .fw', value: size / 1e6, unit: 'MB', runs: 1, goal: '<= 60 MB' },
  ];
}
