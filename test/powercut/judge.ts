import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type DiskPlan, planDisk } from '../../src/build/disk/plan.ts';
import { loadTarget } from '../../src/build/targets.ts';
import type { Machine } from '../../src/host/machine.ts';
import { MiB } from '../../src/update/layout.ts';
import { run } from '../real/disk-file.ts';
import type { Board } from './board.ts';
import { BOOT, type Fleet, onTrial, READY, validate } from './fleet.ts';
import { FURTHER } from './life.ts';
import type { DiskImage, Rig } from './rig.ts';
import { wholeSlots } from './slots.ts';

/** What the configuration leaves at its default. */
const DATA_SIZE = 64 * MiB;
/** What resize2fs may leave: less than a block group's beginning. */
const LEFT = 16 * MiB;

export interface Verdict {
  /** What ran after the cut. */
  came: string;
}

/**
 * Sees what a cut has left: the machine must come up by itself with one of these versions and /data, take a further update, and
 * hold both firmwares whole, even when its power is cut once more right then.
 * @param lap told of each step that is over
 * @throws Error saying what is wrong
 */
export async function judge(
  rig: Rig,
  fleet: Fleet,
  image: DiskImage,
  how: { allowed: readonly string[]; asFile: boolean; grows: boolean },
  lap: (step: string) => void,
): Promise<Verdict> {
  const served = await rig.disk(image);
  const machine = await rig.start(served);
  await machine.console.waitFor(READY, BOOT);
  await fleet.listens(machine);
  lap('boot');
  const status = await fleet.status(machine);
  if (!how.allowed.includes(status.version)) throw new Error(`${status.version} runs`);
  if (status.trial) await validate(fleet, machine, status.version);
  lap('status');
  machine.console.skip();
  if (how.asFile) await fleet.must(machine, 'update', fleet.firmware(FURTHER).path);
  else await fleet.send(machine, FURTHER);
  lap('update');
  await onTrial(machine, FURTHER);
  await fleet.listens(machine);
  lap('trial');
  await validate(fleet, machine, FURTHER);
  if (how.grows) await filled(machine, rig.board, await planOf(rig.board, image));
  lap('validated');
  await machine.cutPower();
  const { slots, preferred } = await wholeSlots(served, rig.board.table);
  if (
    slots[preferred] !== FURTHER ||
    Object.values(slots).toSorted().join() !== [status.version, FURTHER].join()
  )
    throw new Error(`slot a holds ${slots.a}, slot b ${slots.b}, and ${preferred} is preferred`);
  lap('slots');
  await mustBeSound(rig, image, how.grows);
  lap('e2fsck');
  return { came: `${status.version}${status.trial ? ' on trial' : ''}` };
}

async function planOf({ target }: Board, { size }: DiskImage) {
  return planDisk({ target: (await loadTarget(target)).target, dataSize: DATA_SIZE, diskSize: size });
}

/** Waits until /data has taken the whole disk, and is mounted for writing. */
async function filled(machine: Machine, board: Board, { data }: DiskPlan): Promise<void> {
  // s_blocks_count, as the kernel has it in memory.
  const blocks = `od -An -tu4 -j 1028 -N 4 ${board.data}`;
  const least = (data.length - LEFT) / 4096;
  await machine.shell.text(`until [ $(${blocks}) -ge ${least} ]; do sleep 1; done; sync`, BOOT);
  const mounted = await machine.shell.text(
    `awk '$2 == "/data" { print $1, $3, substr($4, 1, 2) }' /proc/mounts`,
  );
  if (mounted !== `${board.data} ext4 rw`) throw new Error(`/data is ${mounted}`);
}

/** After the cut, as the next boot would find it: the journal is replayed first. */
async function mustBeSound(rig: Rig, image: DiskImage, grows: boolean): Promise<void> {
  const folder = join(rig.folder, 'after');
  await mkdir(folder, { recursive: true });
  const after = join(folder, 'disk.img');
  await (await rig.disk(image)).disk.save(after);
  const { data } = await planOf(rig.board, image);
  const partition = `${after}?offset=${data.offset}`;
  run('e2fsck', '-E', 'journal_only', partition);
  const check = run('e2fsck', '-f', '-n', partition);
  if (check.status !== 0) throw new Error(`/data is damaged: ${check.output}`);
  const { output } = run('dumpe2fs', '-h', partition);
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)$`, 'm').exec(output)?.[1]);
  const { command, good } = rig.board.tableCheck;
  const table = run(...command, after).output;
  if (!good.test(table)) throw new Error(`the partition table is damaged: ${table}`);
  const length = field('Block count') * field('Block size');
  if (grows && !(length <= data.length && data.length - length <= LEFT))
    throw new Error(`/data has ${length} bytes of ${data.length}`);
  await rm(after);
}
