import type { Slot } from '../../archive/variants.ts';
import type { Disk } from '../disk.ts';
import { SECTOR } from '../layout.ts';
import type { Places } from '../places.ts';

/** The platform's own way to boot a slot once: a variable of UEFI, a flag of the Raspberry Pi's firmware. */
export interface OneShot {
  /** The next boot, and only that one, is from `slot`. */
  arm(slot: Slot): Promise<void>;
  /**
   * Makes sure, before an update begins, that it could be armed; left out where nothing speaks against it.
   * @throws FwError that says why not
   */
  ready?(): Promise<void>;
}

/** Which slot boots: try once, then commit. */
export interface BootControl {
  /** The slot that runs. */
  readonly booted: Slot;
  /** The slot that boots unless a one-shot says otherwise; undefined when the switch is damaged. */
  preferred(): Promise<Slot | undefined>;
  /** The next boot is from `slot`, the one after it from the preferred one again. */
  tryOnce(slot: Slot): Promise<void>;
  /** From now on `slot` is preferred. Resolves when that is on the disk. */
  commit(slot: Slot): Promise<void>;
}

export function bootControl(disk: Disk, places: Places, booted: Slot, oneShot: OneShot): BootControl {
  const { offset, text, slot: slotOf } = places.switch;
  return {
    booted,
    preferred: async () => slotOf(await disk.read(offset, SECTOR)),
    tryOnce: (slot) => oneShot.arm(slot),
    async commit(slot) {
      await disk.writeAlone(offset, text(slot));
    },
  };
}
