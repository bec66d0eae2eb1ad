import { parseHead } from '../../src/archive/head.ts';
import type { Slot } from '../../src/archive/variants.ts';
import type { ServedDisk } from '../../src/host/nbd/served-disk.ts';
import type { Disk } from '../../src/update/disk.ts';
import { SECTOR } from '../../src/update/layout.ts';
import { findPlaces, type Places } from '../../src/update/places.ts';
import { chunksOf, SlotStore } from '../../src/update/slot.ts';

export interface WholeSlots {
  /** The version that each holds. */
  slots: Record<Slot, string>;
  /** What the boot loader boots. */
  preferred: Slot;
}

/** What a PC's disk holds, every byte of both slots hashed. It throws where one is not whole. */
export async function wholeSlots(served: ServedDisk): Promise<WholeSlots> {
  const readOnly = async (): Promise<never> => {
    throw new Error('it is only looked at');
  };
  const disk: Disk = {
    size: served.size,
    readAt: served.readAt,
    read: async (offset, length) => served.readAt(offset, length),
    write: readOnly,
    flush: readOnly,
  };
  const places = findPlaces(disk, 'gpt');
  const preferred = places.switch.slot(served.readAt(places.switch.offset, SECTOR));
  if (!preferred) throw new Error('no slot is preferred');
  return {
    slots: { a: await versionOf(disk, 'a', places), b: await versionOf(disk, 'b', places) },
    preferred,
  };
}

async function versionOf(disk: Disk, slot: Slot, places: Places): Promise<string> {
  const store = new SlotStore(disk, slot, places.slots[slot]);
  const bytes = await store.head();
  if (!bytes) throw new Error(`slot ${slot} has no head`);
  const head = await parseHead(bytes, { trust: 'self' });
  for (const id of chunksOf(head))
    if (!(await store.read(id)))
      throw new Error(`slot ${slot} is not whole: ${id.payload.name}, chunk ${id.index}`);
  return head.manifest.version;
}
