import { expect, test, vi } from 'vitest';
import { newSigner } from '../archive/test-firmware.ts';
import { SECTOR } from './layout.ts';
import { Pages } from './pages.ts';
import { findPlaces } from './places.ts';
import { type Family, firmware, flashed } from './test-machine.ts';
import { SimulatedDisk } from './test-simulated-disk.ts';

async function disk(family: Family): Promise<SimulatedDisk> {
  return new SimulatedDisk(await flashed(family, await firmware(1, { by: newSigner() })));
}

test.each(['gpt', 'mbr'] as const)(
  '%s: slots and switch do not overlap, and the switch is the file of the boot loader',
  async (family) => {
    const on = await disk(family);
    const { slots, switch: sw } = findPlaces(on, family);
    const extents = [
      slots.a.boot,
      slots.b.boot,
      slots.a.root,
      slots.b.root,
      { offset: sw.offset, length: SECTOR },
    ];
    const sorted = extents.toSorted((one, other) => one.offset - other.offset);
    for (const [index, { offset, length }] of sorted.entries())
      expect(offset + length).toBeLessThanOrEqual(sorted[index + 1]?.offset ?? on.size);
    expect(sw.slot(on.readAt(sw.offset, SECTOR))).toBe('a');
  },
);

test.each(['gpt', 'mbr'] as const)(
  '%s: the whole program waits for a disk a few times, not hundreds',
  async (family) => {
    const on = await disk(family);
    const readAt = vi.spyOn(on, 'readAt');
    findPlaces(on, family);
    expect(readAt.mock.calls.length).toBeLessThan(20);
  },
);

test('a disk that is not ours is refused', async () => {
  const on = await disk('gpt');
  expect(() => findPlaces(on, 'mbr')).toThrow(expect.objectContaining({ code: 'bad-mbr' }));
  expect(() => findPlaces(new SimulatedDisk(new Pages(on.size)), 'gpt')).toThrow(
    expect.objectContaining({ code: 'bad-gpt' }),
  );
});
