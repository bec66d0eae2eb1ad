import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { cacheDir } from '../../bin/pinned-node.js';
import { packHearthfw } from '../pack.ts';
import { REPOSITORY } from './blocks.ts';

export interface Ran {
  code: number | null;
  /** Both streams, as a terminal would mix them. */
  output: string;
}

/**
 * Where the commands of the docs run: a home of its own, with the developer's cache of systems and npm's own cache, so
 * that nothing is downloaded twice. A `cd` lasts until the next one, as in the reader's terminal; nothing else does.
 */
export class Sandbox implements AsyncDisposable {
  readonly folder: string;
  cwd: string;

  private constructor(folder: string) {
    this.folder = folder;
    this.cwd = folder;
  }

  static async open(): Promise<Sandbox> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'hearth-docs-')));
    await mkdir(join(folder, 'home'));
    return new Sandbox(folder);
  }

  /** What of a clone the commands of README.md and of the example apps need. */
  async checkOut(): Promise<void> {
    const own = (path: string): boolean =>
      !/node_modules|\.hearth$|\.fw$|\.fw\.map$/.test(path.slice(REPOSITORY.length));
    await cp(join(REPOSITORY, 'firmware', 'apps'), join(this.folder, 'firmware', 'apps'), {
      recursive: true,
      filter: own,
    });
    await symlink(join(REPOSITORY, 'node_modules'), join(this.folder, 'node_modules'));
  }

  /** The npm package, as docs/getting-started.md has it made. */
  async pack(): Promise<void> {
    await packHearthfw(this.folder);
  }

  env(): NodeJS.ProcessEnv {
    return {
      // The pinned Node is the one that a reader is asked to have; npm is the machine's.
      PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
      HOME: join(this.folder, 'home'),
      LANG: 'C.UTF-8',
      NO_COLOR: '1',
      HEARTH_CACHE: cacheDir(),
      HEARTH_DEBIAN_MIRROR: process.env.HEARTH_DEBIAN_MIRROR,
      npm_config_userconfig: process.env.npm_config_userconfig ?? join(homedir(), '.npmrc'),
      npm_config_cache: process.env.npm_config_cache ?? join(homedir(), '.npm'),
      npm_config_prefer_offline: 'true',
      npm_config_audit: 'false',
      npm_config_fund: 'false',
      npm_config_update_notifier: 'false',
    };
  }

  async run(command: string): Promise<Ran> {
    const left = join(this.folder, 'home', '.cwd');
    const child = this.start(`${command}\npwd > '${left}'`);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: string) => {
        output += text;
      });
    }
    const [code] = (await once(child, 'close')) as [number | null];
    if (code === 0) this.cwd = (await readFile(left, 'utf8')).trim();
    return { code, output };
  }

  /** Starts a command in a process group of its own, as a terminal does. */
  start(command: string): ChildProcessByStdio<null, Readable, Readable> {
    const child = spawn('bash', ['-c', `set -euo pipefail\n${command}\n`], {
      cwd: this.cwd,
      env: this.env(),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8');
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}
