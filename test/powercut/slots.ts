import { parseHead } from '../../src/archive/head.ts';
import type { Slot } from '../../src/archive/variants.ts';
import type { ServedDisk } from '../../src/host/nbd/served-disk.ts';
import type { Disk } from '../../src/update/disk.ts';
import { findPlaces } from '../../src/update/places.ts';
import { chunksOf, SlotStore } from '../../src/update/slot.ts';

/** The version that a slot of a PC's disk holds, every byte of it hashed. It throws where the slot is not whole. */
export async function wholeSlot(served: ServedDisk, slot: Slot): Promise<string> {
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
  const store = new SlotStore(disk, slot, findPlaces(disk, 'gpt').slots[slot]);
  const bytes = await store.head();
  if (!bytes) throw new Error(`slot ${slot} has no head`);
  const head = await parseHead(bytes, { trust: 'self' });
  for (const id of chunksOf(head))
    if (!(await store.read(id)))
      throw new Error(`slot ${slot} is not whole: ${id.payload.name}, chunk ${id.index}`);
  return head.manifest.version;
}
