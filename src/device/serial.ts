import { readFileSync } from 'node:fs';

/** What the board's firmware says is its number: on a Raspberry Pi it is printed nowhere else. A PC's own is often nonsense. */
export function boardSerial(path = '/proc/device-tree/serial-number'): string | undefined {
  try {
    return readFileSync(path, 'latin1').replaceAll('\0', '').trim() || undefined;
  } catch {
    // No device tree.
    return undefined;
  }
}
