import { FwError } from '../../errors.ts';
import type { ReadAt, WriteStep } from '../../formats/bytes.ts';
import { growGpt, readGpt } from '../../formats/gpt.ts';
import { growMbr, readMbr } from '../../formats/mbr.ts';
import { MiB, PARTITION_NAMES } from '../../update/layout.ts';
import { describe, type Exec } from '../exec.ts';
import type { BlockInfo, OpenDevice } from './block.ts';

/** A gap that is not worth a write to the partition table. The border behind the last partition is 1 MiB. */
const NOT_WORTH_IT = 8 * MiB;

export interface GrowTarget {
  disk: string;
  diskSize: number;
  table: 'gpt' | 'mbr';
  partition: BlockInfo;
}

/** The partition's new size in bytes, and the writes that make it so. */
export interface GrowPlan {
  size: number;
  steps: WriteStep[];
}

/** Whether the disk has room behind the partition. */
export function canGrow({ diskSize, partition }: GrowTarget): boolean {
  return partition.number > 0 && diskSize - (partition.start + partition.size) > NOT_WORTH_IT;
}

/** @throws FormatError when the table cannot be read, or something lies behind the data partition */
export function planGrowth(read: ReadAt, target: GrowTarget): GrowPlan {
  const { table, diskSize } = target;
  const steps =
    table === 'gpt'
      ? growGpt(readGpt(read, diskSize), diskSize, PARTITION_NAMES.data)
      : growMbr(readMbr(read, diskSize), diskSize);
  return { size: dataSize(overlay(read, steps), target), steps };
}

/** What the table says of the partition; looked up by its place, which growing does not change. */
function dataSize(read: ReadAt, target: GrowTarget): number {
  const { table, diskSize, partition } = target;
  const partitions = table === 'gpt' ? readGpt(read, diskSize).partitions : readMbr(read, diskSize).logicals;
  const data = partitions.find(({ firstByte }) => firstByte === partition.start);
  if (data) return data.size;
  throw new FwError(
    'data-grow',
    `the partition table has no partition that starts at byte ${partition.start}`,
    {
      where: target.disk,
      remedy: 'The kernel and the disk disagree; a reboot makes the kernel read the table again.',
    },
  );
}

/** The disk as it will be when the steps are written. */
function overlay(read: ReadAt, steps: readonly WriteStep[]): ReadAt {
  return (offset, length) => {
    const bytes = Uint8Array.from(read(offset, length));
    for (const step of steps) {
      const from = Math.max(offset, step.offset);
      const to = Math.min(offset + bytes.length, step.offset + step.bytes.length);
      if (from < to) bytes.set(step.bytes.subarray(from - step.offset, to - step.offset), from - offset);
    }
    return bytes;
  };
}

/**
 * Gives the partition the room behind it. On disk first, then in the kernel; a power cut between the two is mended
 * by the next boot, where the kernel reads the table itself. The file system in the partition is still the smaller
 * one then, which is valid, and `growFilesystem` makes it fit, at this boot or a later one.
 * @throws FwError `data-grow` when the kernel refuses
 */
export async function growPartition(
  exec: Exec,
  heart: string,
  disk: OpenDevice,
  target: GrowTarget,
): Promise<number> {
  const plan = planGrowth(disk.read, target);
  disk.writeSteps(plan.steps);
  const { number, start, size } = target.partition;
  if (plan.size <= size) return size;
  const told = await exec(heart, [
    'resize-part',
    target.disk,
    String(number),
    String(start),
    String(plan.size),
  ]);
  if (told.code !== 0) {
    throw new FwError(
      'data-grow',
      `partition ${number} of ${target.disk} did not grow: ${describe('heart', told)}`,
      {
        where: target.disk,
        remedy: 'It grows at the next boot.',
      },
    );
  }
  return plan.size;
}

/**
 * Makes the mounted file system as large as its partition. The kernel does it in journalled steps: after a power cut
 * the file system has some size between the old and the new, and the next boot goes on.
 * @throws FwError `data-grow` with what resize2fs said
 */
export async function growFilesystem(exec: Exec, device: string): Promise<void> {
  const result = await exec('resize2fs', [device]);
  if (result.code !== 0) {
    throw new FwError(
      'data-grow',
      `the file system on ${device} did not grow: ${describe('resize2fs', result)}`,
      {
        where: device,
        remedy: 'It is tried again at the next boot; until then the old size is in use.',
      },
    );
  }
}
