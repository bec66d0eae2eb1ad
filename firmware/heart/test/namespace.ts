/**
 * A device without a device: heart as PID 1 of a PID namespace, on a root of its own in memory, with its own mounts,
 * host name, network and cgroups. The kernel is the real one; only the hardware (watchdog, disk, console) is files.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdirSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { HEART_STATE } from '../../../src/update/layout.ts';
import { children, scratch, until } from './programs.ts';

/** Whether this machine lets us: namespaces, mounts and cgroup2 need root. */
export const cgroups = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1];
export const possible = process.getuid?.() === 0 && cgroups !== undefined;

/**
 * What stage 1 would have left; `/usr/bin/node` is the real one. Nothing of it is mounted from a disk's device: heart
 * unmounts those on its way down, or makes them read-only, and they would be this machine's own.
 */
const SETUP = `
set -e
cd "$ROOT"
mount -t tmpfs root .
mkdir -p dev proc sys run/hearth tmp etc/hearth usr upper work sbin
mknod dev/null c 1 3
mknod dev/zero c 1 5
mknod dev/random c 1 8
mknod dev/urandom c 1 9
mount -t overlay usr -o "lowerdir=$NODE:/usr,upperdir=upper,workdir=work" usr
mkdir -p usr/lib/hearth usr/sbin
if [ -e "$FILES/dropbear" ]; then cp "$FILES/dropbear" usr/sbin/dropbear; fi
if [ -e "$FILES/rescue.sh" ]; then cp "$FILES/rescue.sh" usr/lib/hearth/; fi
ln -s usr/bin bin
ln -s usr/lib lib
ln -s usr/lib64 lib64
cp "$HEART" sbin/heart
for name in console kmsg watchdog0; do
  if [ -e "$FILES/$name" ]; then : > dev/$name; mount --bind "$FILES/$name" dev/$name; fi
done
: > disk
mount --bind "$FILES/disk" disk
mount -t proc proc proc
mount --bind "$FILES/cmdline" proc/cmdline
mount -t sysfs sysfs sys
if [ -e "$FILES/efivars" ]; then
  mount -t tmpfs firmware sys/firmware
  mkdir -p sys/firmware/efi/efivars
  mount --bind "$FILES/efivars" sys/firmware/efi/efivars
fi
if [ -e "$FILES/tryboot" ]; then
  mount -t tmpfs module sys/module
  mkdir -p sys/module/hearth_tryboot/parameters
  mount --bind "$FILES/tryboot" sys/module/hearth_tryboot/parameters
fi
cp "$FILES/hearthd.mjs" usr/lib/hearth/
cp -r "$FILES/etc/." etc/
printf 'TARGET=test\\nSLOT=a\\nDISK=/disk\\n' > run/hearth/boot
exec env -i PATH="$PATH" FAKE_WATCHDOG="$FAKE_WATCHDOG" chroot . /bin/bash -c 'exec -a init /sbin/heart' </dev/null
`;

export interface Device {
  /** Kept from boot to boot: disk, console, kmsg and what else stands for hardware. */
  files: string;
  /** Takes what comes to the console and appends it to the file `screen`. */
  terminal: ChildProcess;
  /** Opened before heart does, so that no pet is lost; -1 without a watchdog. */
  petted: number;
}

/** A blank device. `hearthd`, `dropbear` and `rescue` are the programs that stand for those; `etc` are files of the root's /etc. */
export function device(options: {
  hearthd: string;
  dropbear?: string;
  rescue?: string;
  watchdog?: boolean;
  etc?: Record<string, string>;
}): Device {
  const files = scratch('/dev/shm');
  mkdirSync(join(files, 'etc/hearth'), { recursive: true });
  writeFileSync(join(files, 'etc/hearth/uuid'), 'a-uuid\n');
  for (const [name, text] of Object.entries(options.etc ?? {})) writeFileSync(join(files, 'etc', name), text);
  writeFileSync(join(files, 'kmsg'), '');
  // A pipe, as a serial line is one: it fills up when nobody reads.
  execFileSync('mkfifo', [join(files, 'console')]);
  const terminal = spawn('bash', ['-c', 'exec cat <>console >>screen'], { cwd: files, stdio: 'ignore' });
  onTestFinished(() => {
    terminal.kill('SIGKILL');
  });
  writeFileSync(join(files, 'disk'), Buffer.alloc(HEART_STATE.offsets[1] + 4096));
  writeFileSync(join(files, 'hearthd.mjs'), options.hearthd);
  if (options.dropbear) writeFileSync(join(files, 'dropbear'), options.dropbear, { mode: 0o755 });
  if (options.rescue) writeFileSync(join(files, 'rescue.sh'), options.rescue, { mode: 0o755 });
  if (options.watchdog === false) return { files, terminal, petted: -1 };
  execFileSync('mkfifo', [join(files, 'watchdog0')]);
  const petted = openSync(join(files, 'watchdog0'), constants.O_RDWR | constants.O_NONBLOCK);
  onTestFinished(() => closeSync(petted));
  return { files, terminal, petted };
}

let boots = 0;

/** Boots a device: heart's stage 2 becomes PID 1. */
export async function boot(heart: string, device: Device, cmdline: string, fakeWatchdog = '') {
  writeFileSync(join(device.files, 'cmdline'), `${cmdline}\n`);
  const root = scratch();
  const group = `${cgroups}/heart-test-${process.pid}-${boots++}`;
  mkdirSync(group);
  // The cgroup namespace starts where the process is: heart sees its group as the hierarchy's root.
  const script =
    'echo $$ > "$GROUP/cgroup.procs"; exec unshare --cgroup --pid --mount --uts --net --fork --kill-child bash -c "$SETUP"';
  const env = {
    ...process.env,
    GROUP: group,
    SETUP,
    ROOT: root,
    FILES: device.files,
    HEART: heart,
    NODE: dirname(dirname(process.execPath)),
    FAKE_WATCHDOG: fakeWatchdog,
  };
  const log = openSync(join(device.files, 'setup.log'), 'w');
  const shell = spawn('bash', ['-c', script], { env, stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = once(shell, 'exit');
  onTestFinished(async () => {
    shell.kill('SIGKILL');
    await ended;
    await until('the cgroup is empty', () =>
      /populated 0/.test(readFileSync(join(group, 'cgroup.events'), 'utf8')),
    );
    execFileSync('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
  });
  const init = await until('PID 1', () => children(shell.pid ?? 0)[0]);
  await until('heart is PID 1', () => {
    if (shell.exitCode !== null) throw new Error(`no PID 1: ${read(join(device.files, 'setup.log'))}`);
    // By a signal: heart has rebooted before anybody could see it.
    return shell.signalCode !== null || read(`/proc/${init}/cmdline`) === 'init\0';
  });
  return {
    init,
    root: `/proc/${init}/root`,
    /** How unshare ended: reboot(2) ends a PID namespace by SIGHUP for a reboot, SIGINT for halt and power-off. */
    ended: ended.then(([status, signal]): number | string => signal ?? status),
    /** Processes of PID 1, by the host's numbers. */
    children: () => children(init),
    /** hearthd, when it runs: the child that has become node. */
    hearthd: (not = 0) =>
      until('hearthd', () =>
        children(init).find(
          (pid) => pid !== not && read(`/proc/${pid}/cmdline`).startsWith('/usr/bin/node\0'),
        ),
      ),
  };
}

/** A file's text, or nothing when it is not there (any more). */
export function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** How many pets have come since the last look. */
export function pets(device: Device): number {
  const bytes = Buffer.alloc(4096);
  try {
    return readSync(device.petted, bytes);
  } catch {
    return 0;
  }
}
