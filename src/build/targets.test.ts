import { describe, expect, test } from 'vitest';
import { MiB } from '../update/layout.ts';
import { loadTarget, targetNames } from './targets.ts';

test('the targets are those of the folder', () => {
  expect(targetNames()).toEqual(expect.arrayContaining(['qemu_arm64', 'rpi3', 'x86_64']));
});

describe('a target that does not exist is an error', () => {
  test.each([
    ['x86-64', 'x86_64'],
    ['rpi2', 'rpi3'],
    ['qemu-arm64', 'qemu_arm64'],
  ])('%s: did you mean %s?', async (wanted, meant) => {
    await expect(loadTarget(wanted)).rejects.toMatchObject({
      code: 'unknown-target',
      expected: expect.stringContaining('rpi3'),
      remedy: `Did you mean '${meant}'?`,
    });
  });

  test.each(['beaglebone', '', '..', '../src', 'common.ts'])(
    '%j: the list of those that there are',
    async (wanted) => {
      await expect(loadTarget(wanted)).rejects.toMatchObject({
        code: 'unknown-target',
        remedy: expect.stringContaining('Choose one of'),
      });
    },
  );
});

describe.each(targetNames())('%s', (name) => {
  test('has slots of whole MiB, so that every partition begins where cards erase', async () => {
    const { target } = await loadTarget(name);
    const { boot } = target;
    const control = boot.family === 'uefi' ? boot.espSize : boot.controlSize;
    for (const size of [target.rootSlotSize, boot.slotSize, control]) expect(size % MiB).toBe(0);
    // Both slots' kernels, and the boot loader, fit on the ESP.
    if (boot.family === 'uefi') expect(boot.espSize).toBeGreaterThanOrEqual(2 * boot.slotSize + 8 * MiB);
  });

  test('lists each package once, and boot files that it takes from one of them', async () => {
    const { target } = await loadTarget(name);
    const files = target.packages.flatMap((pick) => pick.files);
    const { boot } = target;
    const needed = boot.family === 'uefi' ? [boot.stub, boot.loader] : [boot.bootcode, ...boot.blobs];
    expect(files).toEqual(expect.arrayContaining(needed));
  });
});
