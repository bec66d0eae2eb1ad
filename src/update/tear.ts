import type { Pages } from './pages.ts';

/** What cards and disks tear a write into, bytes. */
const UNITS = [512, 4096, 16_384];
/** Zeros come by the gigabyte, and a disk drops them by its own larger units. */
const ZEROS_UNIT = 1024 * 1024;

/** What a disk was told and has not made durable. */
export type Unflushed =
  | { type: 'write'; offset: number; bytes: Uint8Array }
  | { type: 'clear'; offset: number; length: number };

export function pickUnit(random: () => number): number {
  return UNITS[Math.floor(random() * UNITS.length)] ?? 512;
}

/** The whole of it arrives. */
export function apply(change: Unflushed, to: Pages): void {
  if (change.type === 'write') to.write(change.offset, change.bytes);
  else to.clear(change.offset, change.length);
}

/** The power fails: a third is lost whole, a third arrives whole, and a third in parts, which lie as the medium has its units. */
export function tear(change: Unflushed, to: Pages, unit: number, random: () => number): void {
  const fate = random();
  if (fate < 1 / 3) return;
  if (fate < 2 / 3) {
    apply(change, to);
    return;
  }
  const { offset } = change;
  const length = change.type === 'write' ? change.bytes.length : change.length;
  const step = change.type === 'write' ? unit : ZEROS_UNIT;
  for (let at = 0; at < length; ) {
    const take = Math.min(step - ((offset + at) % step), length - at);
    if (random() < 0.5) {
      if (change.type === 'write') to.write(offset + at, change.bytes.subarray(at, at + take));
      else to.clear(offset + at, take);
    }
    at += take;
  }
}
