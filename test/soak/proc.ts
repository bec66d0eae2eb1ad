import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One line of the kernel's list of processes. */
export interface OsProcess {
  pid: number;
  parent: number;
  state: string;
  command: string;
  /** In ticks after boot: with the pid it names a process for good. */
  startedAt: string;
}

/** All processes of this machine, from /proc. */
export function osProcesses(): OsProcess[] {
  return pids().flatMap((pid) => {
    const stat = read(`/proc/${pid}/stat`);
    const close = stat.lastIndexOf(')');
    if (close < 0) return [];
    const [state = '', parent = '', ...rest] = stat.slice(close + 2).split(' ');
    const command = stat.slice(stat.indexOf('(') + 1, close);
    return [{ pid, parent: Number(parent), state, command, startedAt: rest[17] ?? '' }];
  });
}

/** What a process has started, and what that has started, and so on. */
export function descendants(of: number, all: readonly OsProcess[] = osProcesses()): OsProcess[] {
  const below = all.filter(({ parent }) => parent === of);
  return below.flatMap((child) => [child, ...descendants(child.pid, all)]);
}

/** The living that have a text in their environment, as have those that they start; zombies have none. */
export function marked(mark: string): number[] {
  return pids().filter((pid) => read(`/proc/${pid}/environ`).includes(mark));
}

/** How people are told of a process. */
export function described(pid: number): string {
  const line = read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').slice(0, 200);
  return `process ${pid} (${/^State:\s+(\S)/m.exec(read(`/proc/${pid}/status`))?.[1]}): ${line}`;
}

/** Folders of ports' cgroups that a process has made, wherever they are. */
export function cgroupsOf(pid: number): string[] {
  const own = /^0::(.*)$/m.exec(read('/proc/self/cgroup'))?.[1];
  if (own === undefined) return [];
  const mount = / (\/\S+) \S+ (?:\S+ )*- cgroup2 /.exec(read('/proc/self/mountinfo'))?.[1];
  if (mount === undefined) return [];
  const folder = join(mount, own);
  return list(folder)
    .filter((name) => name.startsWith(`hearth-port-${pid}-`))
    .map(
      (name) =>
        `cgroup ${name} of ${
          read(join(folder, name, 'cgroup.procs'))
            .trim()
            .split('\n')
            .join(', ') || 'nobody'
        }`,
    );
}

export interface Footprint {
  rss: number;
  threads: number;
  descriptors: number;
}

/** Of a process that lives. */
export function footprint(pid: number): Footprint {
  const status = read(`/proc/${pid}/status`);
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  return {
    rss: field('VmRSS') * 1024,
    threads: field('Threads'),
    descriptors: list(`/proc/${pid}/fd`).length,
  };
}

function pids(): number[] {
  return list('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Nothing, of what has ended since it was listed. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
