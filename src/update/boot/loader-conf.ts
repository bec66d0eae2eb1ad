import type { Slot } from '../../archive/variants.ts';
import { SECTOR } from '../layout.ts';

/** systemd-boot's configuration: exactly one sector, so that changing it is one write. */
export function loaderConf(slot: Slot): Uint8Array {
  const text = `# Written by Hearth; one sector.\ntimeout 0\neditor no\nauto-entries no\ndefault slot-${slot}.efi\n`;
  return Buffer.from(text.padEnd(SECTOR, '\n'));
}

/** The slot that it prefers; undefined when it does not say, or not so as we write it. */
export function slotOfLoaderConf(sector: Uint8Array): Slot | undefined {
  const found = /^default slot-([ab])\.efi$/m.exec(Buffer.from(sector).toString('latin1'))?.[1];
  return found === 'a' || found === 'b' ? found : undefined;
}
