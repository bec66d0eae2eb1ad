import type { Piece } from '../../formats/bytes.ts';
import { writeFat } from '../../formats/fat/index.ts';
import { MBR_TYPES, writeMbr } from '../../formats/mbr.ts';
import { autobootTxt } from '../../update/boot/autoboot.ts';
import { MBR_SIGNATURE, SECTOR } from '../../update/layout.ts';
import type { DiskPlan } from './plan.ts';

/** The MBR and its logical partitions, the control partition, and the boot partition of slot a. */
export function piDisk(
  plan: DiskPlan,
  parts: { bootcode: Uint8Array; boot: Uint8Array; uuid: string; time: Date },
): Piece[] {
  const { bootcode, boot, uuid, time } = parts;
  const control = writeFat(
    [
      { path: 'bootcode.bin', content: bootcode },
      { path: 'autoboot.txt', content: autobootTxt('a') },
      // Pi 3-class boot ROMs want the file beside autoboot.txt, be it empty.
      { path: 'config.txt', content: new Uint8Array(0) },
    ],
    {
      type: 16,
      size: plan.control.length,
      label: 'HEARTHCTL',
      volumeId: Number.parseInt(uuid.slice(0, 8), 16),
      hiddenSectors: plan.control.offset / SECTOR,
      time,
    },
  );
  // The ROM wants type 0x0c of a control partition that holds FAT16, too.
  const primary = ({ offset, length }: { offset: number; length: number }) => ({
    type: MBR_TYPES.fat32Lba,
    firstByte: offset,
    size: length,
  });
  const logical = (extent: { offset: number; length: number }) => ({
    ...primary(extent),
    type: MBR_TYPES.linux,
  });
  const table = writeMbr({
    diskSize: plan.size,
    signature: MBR_SIGNATURE,
    primaries: [primary(plan.control), ...plan.boot.map(primary)],
    logicals: [...plan.root, plan.data].map(logical),
  });
  const atControl = control.pieces.map(({ offset, bytes }) => ({
    offset: plan.control.offset + offset,
    bytes,
  }));
  return [...table, ...atControl, { offset: plan.boot[0]?.offset ?? 0, bytes: boot }];
}
