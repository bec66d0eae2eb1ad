import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { PortError } from './errors.ts';
import { protect, release } from './guard.ts';

/** What all processes of a port may take together. */
export interface PortLimits {
  memoryBytes?: number | undefined;
  processes?: number | undefined;
}

const NAME = /^hearth-port-(\d+)-/;
let folder: string | undefined;
let looked = false;
let made = 0;

/**
 * A cgroup (v2) of its own for one port, below the one that this program is in, where the system allows that: as root, in
 * a systemd user session, in a delegated cgroup. It holds what leaves the process group, too.
 * @throws PortError 'port-limits' when there are limits and nothing to set them in
 */
export function makeCgroup(limits: PortLimits | undefined): string | undefined {
  const limited = limits !== undefined && Object.values(limits).some((limit) => limit !== undefined);
  const parent = writableCgroup();
  const path = parent && join(parent, `hearth-port-${process.pid}-${threadId}-${++made}`);
  try {
    if (!path) throw new Error('this program may not make cgroups (v2) of its own');
    mkdirSync(path);
    for (const [file, value] of limitFiles(limits ?? {})) writeFileSync(join(path, file), value);
  } catch (cause) {
    if (path) removeNow(path);
    if (!limited) return undefined;
    throw new PortError('port-limits', `a port's limits cannot be set: ${(cause as Error).message}`, {
      cause,
    });
  }
  protect(path);
  return path;
}

/** Of cgroup v2. */
export function limitFiles({ memoryBytes, processes }: PortLimits): [file: string, value: string][] {
  const files: [string, string | undefined][] = [
    ['memory.max', memoryBytes?.toString()],
    ['pids.max', processes?.toString()],
  ];
  return files.filter((file): file is [string, string] => file[1] !== undefined);
}

/** Kills all that is in it. */
export function killCgroup(path: string): void {
  try {
    writeFileSync(join(path, 'cgroup.kill'), '1');
  } catch (error) {
    // Gone with its last process; or of a kernel before 5.14, where the process group must do.
    if (!['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

const REMOVE_TRIES = 8;

/** As soon as its last process is gone. One that never goes is left to the guard. */
export function removeCgroup(path: string, attempt = 1): void {
  if (removeNow(path)) release(path);
  else if (attempt < REMOVE_TRIES) setTimeout(removeCgroup, 2 ** attempt, path, attempt + 1).unref();
}

function removeNow(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

function writableCgroup(): string | undefined {
  if (looked) return folder;
  looked = true;
  try {
    folder = cgroupFolder(
      readFileSync('/proc/self/cgroup', 'utf8'),
      readFileSync('/proc/self/mountinfo', 'utf8'),
    );
    if (folder) sweep(folder);
  } catch {
    // Not Linux, or no /proc.
  }
  return folder;
}

/** Where the cgroup (v2) of a process is mounted. One whose path has blanks cannot be told to the guard. */
export function cgroupFolder(cgroups: string, mounts: string): string | undefined {
  const own = /^0::(\/.*)$/m.exec(cgroups)?.[1];
  // mountinfo: ID PARENT MAJOR:MINOR ROOT MOUNT-POINT OPTIONS … - TYPE SOURCE OPTIONS
  const [, root, mount] = /^\d+ \d+ \S+ (\S+) (\S+) .* - cgroup2 /m.exec(mounts) ?? [];
  if (own === undefined || root === undefined || mount === undefined) return undefined;
  if (root !== '/' && own !== root && !own.startsWith(`${root}/`)) return undefined;
  const path = join(mount, root === '/' ? own : own.slice(root.length));
  return /[\s\\]/.test(path) ? undefined : path.replace(/\/$/, '');
}

/** Removes what programs left that were killed together with their guard. Full ones cannot be removed. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) if (NAME.test(name)) removeNow(join(parent, name));
}
