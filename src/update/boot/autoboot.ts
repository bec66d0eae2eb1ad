import type { Slot } from '../../archive/variants.ts';
import { SECTOR } from '../layout.ts';

/** The boot partitions of the slots, as the Raspberry Pi's boot loader counts them. */
const PARTITION: Record<Slot, number> = { a: 2, b: 3 };

/** autoboot.txt: which boot partition, and which one for a one-shot trial. Fits one sector; padded to it. */
export function autobootTxt(slot: Slot): Uint8Array {
  const other = slot === 'a' ? 'b' : 'a';
  const text = `[all]\ntryboot_a_b=1\nboot_partition=${PARTITION[slot]}\n[tryboot]\nboot_partition=${PARTITION[other]}\n`;
  return Buffer.from(text.padEnd(SECTOR, '\n'));
}

/** The slot that it prefers; undefined when it does not say, or not so as we write it. */
export function slotOfAutoboot(sector: Uint8Array): Slot | undefined {
  const [all = ''] = Buffer.from(sector).toString('latin1').split('[tryboot]');
  const number = Number(/^boot_partition=(\d+)$/m.exec(all)?.[1]);
  return number === PARTITION.a ? 'a' : number === PARTITION.b ? 'b' : undefined;
}
