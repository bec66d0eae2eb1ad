import type { Slot } from '../../src/archive/variants.ts';
import type { ServedDisk } from '../../src/host/nbd/served-disk.ts';
import type { Disk } from '../../src/update/disk.ts';
import { SECTOR } from '../../src/update/layout.ts';
import { findPlaces } from '../../src/update/places.ts';
import { SlotStore } from '../../src/update/slot.ts';
import { wholeSlot } from '../../src/update/test-machine.ts';

export interface WholeSlots {
  /** The version that each holds. */
  slots: Record<Slot, string>;
  /** What the boot loader boots. */
  preferred: Slot;
}

/** What a disk holds, every byte of both slots hashed. It throws where one is not whole. */
export async function wholeSlots(served: ServedDisk, table: 'gpt' | 'mbr'): Promise<WholeSlots> {
  const readOnly = async (): Promise<never> => {
    throw new Error('it is only looked at');
  };
  const disk: Disk = {
    size: served.size,
    readAt: served.readAt,
    read: async (offset, length) => served.readAt(offset, length),
    write: readOnly,
    flush: readOnly,
    writeAlone: readOnly,
  };
  const places = findPlaces(disk, table);
  const preferred = places.switch.slot(served.readAt(places.switch.offset, SECTOR));
  if (!preferred) throw new Error('no slot is preferred');
  const whole = (slot: Slot) => wholeSlot(new SlotStore(disk, slot, places.slots[slot]));
  return {
    slots: { a: await whole('a'), b: await whole('b') },
    preferred,
  };
}
