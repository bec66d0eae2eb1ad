import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

/**
 * A small shell, in a session of its own, that is told of every process group and cgroup of this program's ports. When this
 * program ends, however it does, the shell reads the end of its input and kills what is left. Each port's first process
 * reports itself before it becomes the port's program, so that no moment is without guard.
 */
const SCRIPT = `
trap '' HUP INT TERM
set -f
all=' '
while read -r op id; do
  case "$op$all" in
    +*" $id "*) ;;
    +*) all="$all$id " ;;
    -*" $id "*) all="\${all%% $id *} \${all#* $id }" ;;
  esac
done
for id in $all; do
  case $id in
    /*) echo 1 >"$id/cgroup.kill" ;;
    *) kill -9 -- "-$id" ;;
  esac
done
for id in $all; do
  case $id in
    /*) for try in 1 2 3 4 5 6 7 8 9 10; do rmdir "$id" && break; sleep 0.1; done ;;
  esac
done
`;

/** A process group, by the id of its leader; or a cgroup, by its folder. */
export type Guarded = number | string;

const guarded = new Set<Guarded>();
let guard: ChildProcess | undefined;

/**
 * The stream to hand to a port's first process, for it to report itself. Starts the guard with the first port.
 * @throws Error when it cannot be started
 */
export function guardInput(): Writable {
  guard ??= start();
  if (guard.stdin) return guard.stdin;
  guard = undefined;
  throw new Error('what ends ports with this program cannot be started');
}

/** Kill this, too, when the program ends. A group that has reported itself is told again if the guard must be replaced. */
export function protect(what: Guarded): void {
  guarded.add(what);
  guardInput().write(`+ ${what}\n`);
}

/** It is gone already: what has its number tomorrow must not be killed. */
export function release(what: Guarded): void {
  if (guarded.delete(what)) guard?.stdin?.write(`- ${what}\n`);
}

/** Of this program; for tests. */
export function guardPid(): number | undefined {
  return guard?.pid;
}

function start(): ChildProcess {
  const shell = spawn('/bin/sh', ['-c', SCRIPT], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
  });
  // Not even started. No port will be, either, and says so.
  shell.on('error', () => {
    if (guard === shell) guard = undefined;
  });
  // Node makes none of what it promises when there are no descriptors.
  if (!shell.stdin) return shell;
  // It has nothing to do while the program lives, and must not keep it alive.
  shell.unref();
  (shell.stdin as Writable & { unref(): void }).unref();
  const gone = () => {
    if (guard !== shell) return;
    guard = undefined;
    if (guarded.size === 0) return;
    guard = start();
    for (const what of guarded) guard.stdin?.write(`+ ${what}\n`);
  };
  shell.on('exit', gone);
  // Its end is seen by 'exit'; a write that comes too late has nobody to tell.
  shell.stdin.on('error', () => {});
  return shell;
}
