import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDir } from '../../bin/pinned-node.js';
import { openFirmware } from '../../src/archive/index.ts';
import { buildUki } from '../../src/build/boot/uefi.ts';
import { Cache } from '../../src/build/cache.ts';
import { planDisk } from '../../src/build/disk/plan.ts';
import { uefiDisk } from '../../src/build/disk/uefi.ts';
import { writeImage } from '../../src/build/image.ts';
import { prepareSystem } from '../../src/build/system/index.ts';
import { loadTarget } from '../../src/build/targets.ts';
import { directory, file, insert } from '../../src/build/tree.ts';
import { cpioBytes } from '../../src/formats/cpio.ts';
import type { DirNode, TreeNode } from '../../src/formats/tree.ts';
import type { Machine } from '../../src/host/machine.ts';
import { startMachine } from '../../src/host/start.ts';
import { loadProject } from '../../src/project/load.ts';
import { buildExample, temporaryFolder } from '../firmware.ts';
import { type Figure, median } from './figure.ts';

const BOOTS = 5;
const DISK_SIZE = 1024 ** 3;
const BOOT = { timeoutMs: 240_000 };
const IDLE_MS = 15_000;

/** Kernel start to `ready` against bare Node from the same kernel, disk, boot loader and squashfs, in turn; idle memory. */
export async function benchBoot(): Promise<Figure[]> {
  await using folder = await temporaryFolder();
  const firmware = await buildExample('hello', 'x86_64', folder.path);
  const [ours, bare] = [join(folder.path, 'ours.img'), join(folder.path, 'bare.img')];
  await writeImage(firmware.path, ours, { size: DISK_SIZE });
  await writeImage(firmware.path, bare, { size: DISK_SIZE });
  await makeBare(firmware.path, bare);

  const ready: number[] = [];
  const node: number[] = [];
  const idle: number[] = [];
  const restarts: number[] = [];
  const hangs: number[] = [];
  for (let run = 0; run < BOOTS; run++) {
    node.push(
      await bootOnce(bare, folder.path, async (machine) =>
        Number((await machine.console.waitFor(/bare node at (\d+)/, BOOT))[1]),
      ),
    );
    ready.push(
      await bootOnce(ours, folder.path, async (machine) => {
        const [, appMs] = await machine.console.waitFor(/\[hearth\] ready .*app_ms=(\d+)/, BOOT);
        if (run === 0) {
          idle.push(await measureIdle(machine));
          await measureHearthd(machine, restarts, hangs);
        }
        return Number(appMs);
      }),
    );
  }
  return [
    { name: 'kernel start to ready', value: median(ready), unit: 'ms', runs: BOOTS },
    { name: 'kernel start to bare Node on the same squashfs', value: median(node), unit: 'ms', runs: BOOTS },
    {
      name: 'ready / bare Node',
      value: median(ready.map((ms, run) => ms / (node[run] ?? 1))),
      unit: 'x',
      runs: BOOTS,
      goal: '<= 1.5 x',
    },
    {
      name: 'idle memory (MemTotal - MemAvailable)',
      value: median(idle),
      unit: 'MB',
      runs: idle.length,
      goal: '<= 120 MB',
    },
    {
      name: 'kill -9 of hearthd to its restart begun',
      value: median(restarts),
      unit: 'ms',
      runs: restarts.length,
      goal: '<= 50 ms',
    },
    {
      name: 'hang (SIGSTOP) of hearthd to kill, beat timeout 10 s',
      value: median(hangs),
      unit: 'ms',
      runs: hangs.length,
      goal: '<= 10500 ms',
    },
  ];
}

async function bootOnce<T>(disk: string, workDir: string, use: (machine: Machine) => Promise<T>): Promise<T> {
  await using machine = await startMachine({ emulator: 'q35', disk, workDir, accelerator: 'tcg' });
  const result = await use(machine);
  // A boot after a power cut checks /data; the usual one follows an orderly way down.
  if (machine.console.transcript.includes('[hearth]')) {
    await machine.shell.send('kill -USR2 1');
    await machine.exited;
  }
  return result;
}

async function measureIdle(machine: Machine): Promise<number> {
  await machine.shell.text(`sleep ${IDLE_MS / 1000}`);
  const text = await machine.shell.text('cat /proc/meminfo');
  const kib = (name: string): number => Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1]);
  return ((kib('MemTotal') - kib('MemAvailable')) * 1024) / 1e6;
}

/** By the kernel log's clock in the guest. One kill: a second one within the window is met with back-off. */
async function measureHearthd(machine: Machine, restarts: number[], hangs: number[]): Promise<void> {
  await machine.shell.text('dmesg -c >/dev/null; kill -9 $(head -n 1 /sys/fs/cgroup/hearthd/cgroup.procs)');
  await machine.console.waitFor(/the app is healthy again/, BOOT);
  const log = await machine.shell.text('dmesg');
  const at = (text: string): number =>
    1000 * Number(new RegExp(`\\[ *([\\d.]+)\\] heart: ${text}`).exec(log)?.[1]);
  restarts.push(at('started hearthd') - at('hearthd was ended by signal 9'));
  await machine.shell.text('kill -STOP $(head -n 1 /sys/fs/cgroup/hearthd/cgroup.procs)');
  const [, ms] = await machine.console.waitFor(/hearthd has not beaten for (\d+) ms: killing it/, BOOT);
  hangs.push(Number(ms));
}

/** Puts a kernel image into slot a whose initramfs mounts the same root and becomes Node, with nothing between. */
async function makeBare(firmwarePath: string, image: string): Promise<void> {
  const loaded = await loadTarget('x86_64');
  const { target, lock } = loaded;
  if (target.boot.family !== 'uefi') throw new Error('x86_64 boots by UEFI');
  const system = await prepareSystem(loaded, new Cache(cacheDir()), () => {});
  const initramfs = directory();
  const modules = await bareModules(system.root, lock.kernel);
  insert(initramfs, 'init', file(initScript(modules.map(([name]) => name)), 0o755));
  insert(initramfs, 'bin/busybox', await nodeAt(system.root, 'usr/bin/busybox'));
  for (const path of ['dev', 'proc', 'sys', 'newroot']) insert(initramfs, path, directory());
  for (const [name, node] of modules) insert(initramfs, `modules/${name}`, node);
  const project = await loadProject(join(import.meta.dirname, '../../firmware/apps/hello'));
  await using fw = await openFirmware(firmwarePath, { trust: 'self' });
  const bytes = await cpioBytes(initramfs);
  const uki = await buildUki(
    {
      target,
      config: project.config,
      uuid: fw.manifest.uuid,
      version: '0.0.0',
      part: async (name) => (name === 'initramfs' ? bytes : system.part(name)),
      time: new Date(lock.date),
    },
    target.boot,
  );
  const plan = planDisk({ target, dataSize: 64 * 1024 ** 2, diskSize: DISK_SIZE });
  const loader = await system.part('loader');
  const pieces = uefiDisk(plan, target.boot, {
    loader,
    uki,
    uuid: fw.manifest.uuid,
    time: new Date(lock.date),
  });
  await using disk = await open(image, 'r+');
  for (const { offset, bytes: piece } of pieces) await disk.write(piece, 0, piece.length, offset);
}

async function nodeAt(root: DirNode, path: string): Promise<TreeNode> {
  let at: TreeNode | undefined = root;
  for (const part of path.split('/')) at = at?.type === 'dir' ? at.entries.get(part) : undefined;
  if (!at) throw new Error(`the system has no ${path}`);
  return at;
}

async function bareModules(root: DirNode, release: string): Promise<[string, TreeNode][]> {
  const folder = `usr/lib/modules/${release}`;
  const found: [string, TreeNode][] = [];
  for (const [name, path] of [
    ['squashfs.ko', 'kernel/fs/squashfs/squashfs.ko'],
    ['virtio_blk.ko', 'kernel/drivers/block/virtio_blk.ko'],
  ] as const) {
    found.push([name, await nodeAt(root, `${folder}/${path}`)]);
  }
  return found;
}

function initScript(modules: readonly string[]): string {
  return [
    '#!/bin/busybox sh',
    'b=/bin/busybox',
    '$b mount -t devtmpfs dev /dev; $b mount -t proc proc /proc',
    ...modules.map((name) => `$b insmod /modules/${name}`),
    'while [ ! -b /dev/vda3 ]; do $b usleep 10000; done',
    '$b mount -t squashfs -o ro /dev/vda3 /newroot',
    '$b mount --move /dev /newroot/dev; $b mount --move /proc /newroot/proc',
    `exec $b switch_root /newroot /usr/bin/node -e 'console.log("bare node at " + Math.round(1000 * require("node:fs").readFileSync("/proc/uptime", "utf8").split(" ")[0])); setInterval(() => {}, 1e6)' </dev/console >/dev/console 2>&1`,
    '',
  ].join('\n');
}
