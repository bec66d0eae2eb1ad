import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { PortError } from './errors.ts';
import { protect, release } from './guard.ts';

/** What all processes of a port may take together; who takes more memory is killed, and all of the port with it. */
export interface PortLimits {
  memoryBytes?: number | undefined;
  processes?: number | undefined;
}

const NAME = /^hearth-port-(\d+)-/;
let folder: string | undefined;
let looked = false;
let made = 0;

/** Whether one is set. */
export function isLimited(limits: PortLimits | undefined): boolean {
  return limits !== undefined && Object.values(limits).some((limit) => limit !== undefined);
}

/**
 * A cgroup (v2) of its own for one port, where the system allows that: beside the one that this program is in, on a device
 * and in a delegated service; or below it, as root and in a systemd user session. It holds what leaves the process group, too.
 * @throws PortError 'port-limits' when there are limits and nothing to set them in
 */
export function makeCgroup(limits: PortLimits | undefined): string | undefined {
  const parent = writableCgroup();
  const path = parent && join(parent, `hearth-port-${process.pid}-${threadId}-${++made}`);
  try {
    if (!path) throw new Error('this program may not make cgroups (v2) of its own');
    mkdirSync(path);
    // The controllers' files are there only where they are enabled for the cgroups of this folder.
    for (const [file, value] of limitFiles(limits ?? {})) writeFileSync(join(path, file), value);
    for (const [file, value] of limits?.memoryBytes === undefined ? [] : WITH_MEMORY)
      if (existsSync(join(path, file))) writeFileSync(join(path, file), value);
  } catch (cause) {
    if (path) removeNow(path);
    if (!isLimited(limits)) return undefined;
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

/** What else a limit of memory means, of kernels that have it: no swap instead, and no half of a port that lives on. */
const WITH_MEMORY = [
  ['memory.swap.max', '0'],
  ['memory.oom.group', '1'],
] as const;

/** Whether the kernel has killed some of it for want of memory, by this limit or by one above. */
export function ranOutOfMemory(path: string): boolean {
  try {
    return /^oom_kill [1-9]/m.test(readFileSync(join(path, 'memory.events'), 'utf8'));
  } catch (error) {
    // Without the memory controller nothing is counted.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
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

/** The last after 4 s. */
const REMOVE_TRIES = 12;

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
    const own = cgroupFolder(
      readFileSync('/proc/self/cgroup', 'utf8'),
      readFileSync('/proc/self/mountinfo', 'utf8'),
    );
    folder = own && portsFolder(own);
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

/** What a program is in whose cgroup is delegated to it: with hearthd, and with systemd's `DelegateSubgroup=main`. */
const DELEGATED = 'main';

/**
 * Where the cgroups of ports go. A cgroup that has processes can have no controllers for those below it, so that limits
 * take a place beside the program's own.
 */
export function portsFolder(own: string): string {
  const above = dirname(own);
  return basename(own) === DELEGATED && mayWrite(above) && mayWrite(join(above, 'cgroup.procs'))
    ? above
    : own;
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Removes what programs left that were killed together with their guard. Not what belongs to one that lives, another thread
 * of this one included: it may be about to be entered.
 */
export function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const [, pid] = NAME.exec(name) ?? [];
    if (pid !== undefined && !lives(Number(pid))) removeNow(join(parent, name));
  }
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
