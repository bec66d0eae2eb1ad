import { FwError } from '../../errors.ts';
import type { Extent } from '../../formats/bytes.ts';
import { FIRST_PARTITION, MiB } from '../../update/layout.ts';
import type { Target } from '../target.ts';

/** Where everything of a disk goes, bytes. Slots are in the order a, b. */
export interface DiskPlan {
  /** Of the whole disk. */
  size: number;
  /** UEFI: the EFI system partition. Pi: the control partition. */
  control: Extent;
  /** Pi only: the boot partitions; on UEFI the boot slots are files on the ESP. */
  boot: Extent[];
  root: [Extent, Extent];
  data: Extent;
}

export interface PlanInput {
  target: Target;
  /** The least size of the data partition, bytes. */
  dataSize: number;
  /** Of the whole disk, bytes; the least that fits when left out. */
  diskSize?: number;
}

/** What stays free behind the data partition: the backup GPT, and alignment. */
const TAIL = 1 * MiB;

/** @throws FwError `disk-too-small` saying by how much */
export function planDisk({ target, dataSize, diskSize }: PlanInput): DiskPlan {
  const pi = target.boot.family === 'pi';
  // On MBR each logical partition stands behind an EBR that has a gap of its own.
  const gap = pi ? 4 * MiB : 0;
  let at = FIRST_PARTITION;
  const take = (length: number, before = 0): Extent => {
    const extent = { offset: at + before, length };
    at += before + length;
    return extent;
  };
  const control = take(target.boot.family === 'pi' ? target.boot.controlSize : target.boot.espSize);
  const boot = pi ? [take(target.boot.slotSize), take(target.boot.slotSize)] : [];
  const root: [Extent, Extent] = [take(target.rootSlotSize, gap), take(target.rootSlotSize, gap)];
  const data = take(Math.ceil(dataSize / MiB) * MiB, gap);
  const least = at + TAIL;
  if (diskSize === undefined) return { size: least, control, boot, root, data };
  if (diskSize < least) {
    throw new FwError(
      'disk-too-small',
      `a disk of ${diskSize} bytes is ${least - diskSize} bytes too small for ${target.name}`,
      {
        where: '--size',
        expected: `at least ${least} bytes (${Math.ceil(least / MiB)} MiB)`,
        remedy: 'Choose a larger size, or a smaller dataSize in fw.config.ts.',
      },
    );
  }
  const end = Math.floor((diskSize - TAIL) / MiB) * MiB;
  return { size: diskSize, control, boot, root, data: { offset: data.offset, length: end - data.offset } };
}
