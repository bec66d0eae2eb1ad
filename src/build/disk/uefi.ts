import { createHash } from 'node:crypto';
import type { Piece } from '../../formats/bytes.ts';
import { writeFat } from '../../formats/fat/index.ts';
import { GPT_TYPES, writeGpt } from '../../formats/gpt.ts';
import { loaderConf } from '../../update/boot/loader-conf.ts';
import { PARTITION_NAMES, SECTOR, STATE_AREA } from '../../update/layout.ts';
import type { UefiBoot } from '../target.ts';
import { uuidFromHash } from '../uuid.ts';
import type { DiskPlan } from './plan.ts';

/** The GPT, and the EFI system partition with the boot loader, its configuration, and both slots' kernel images. */
export function uefiDisk(
  plan: DiskPlan,
  boot: UefiBoot,
  parts: { loader: Uint8Array; uki: Uint8Array; uuid: string; time: Date },
): Piece[] {
  const { loader, uki, uuid, time } = parts;
  const esp = writeFat(
    [
      { path: boot.loaderPath, content: loader },
      { path: 'loader/loader.conf', content: loaderConf('a') },
      // Both files have their final size and place from the start: updates rewrite contents, never the file system.
      { path: 'EFI/Linux/slot-a.efi', content: uki, reserve: boot.slotSize },
      { path: 'EFI/Linux/slot-b.efi', content: new Uint8Array(0), reserve: boot.slotSize },
    ],
    {
      type: 32,
      size: plan.control.length,
      label: 'HEARTH-ESP',
      volumeId: Number.parseInt(uuid.slice(0, 8), 16),
      hiddenSectors: plan.control.offset / SECTOR,
      time,
    },
  );
  const partition = (type: string, name: string, { offset, length }: { offset: number; length: number }) => ({
    type,
    guid: derivedGuid(uuid, name),
    name,
    firstByte: offset,
    size: length,
  });
  const table = writeGpt({
    diskSize: plan.size,
    diskGuid: derivedGuid(uuid, 'disk'),
    partitions: [
      partition(GPT_TYPES.esp, PARTITION_NAMES.esp, plan.control),
      partition(GPT_TYPES.hearthState, PARTITION_NAMES.state, {
        offset: STATE_AREA.offset,
        length: STATE_AREA.size,
      }),
      partition(GPT_TYPES.linux, PARTITION_NAMES.rootA, plan.root[0]),
      partition(GPT_TYPES.linux, PARTITION_NAMES.rootB, plan.root[1]),
      partition(GPT_TYPES.linux, PARTITION_NAMES.data, plan.data),
    ],
  });
  const atEsp = esp.pieces.map(({ offset, bytes }) => ({ offset: plan.control.offset + offset, bytes }));
  return [...table, ...atEsp];
}

/** Same firmware, same image: GUIDs come from the firmware's UUID and what they name. */
function derivedGuid(uuid: string, name: string): string {
  return uuidFromHash(createHash('sha256').update(`${uuid}/${name}`).digest()).toUpperCase();
}
