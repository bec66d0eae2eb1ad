import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type PiLoader, readPiLoader, requireOneShot } from './pi-loader.ts';

const VERSION = '83b5e5e61a70a93caee65cbd6aea77bdd485e5b0';
const PI4: PiLoader = {
  compatible: ['raspberrypi,4-model-b', 'brcm,bcm2711'],
  built: 1_673_458_852,
  version: VERSION,
};
const refused = (loader: PiLoader) => () => requireOneShot(loader);

describe('a board can try an update', () => {
  test.each([
    ['a Pi 4 of January 2023', PI4],
    ['a Pi 4 of the release that brought it', { ...PI4, built: Date.UTC(2022, 9, 18) / 1000 }],
    ['a Pi 5', { ...PI4, compatible: ['raspberrypi,5-model-b', 'brcm,bcm2712'], built: 1_715_620_469 }],
    // Its boot loader is bootcode.bin, which comes with the image.
    [
      'a Pi 3',
      { compatible: ['raspberrypi,3-model-b', 'brcm,bcm2837'], built: undefined, version: undefined },
    ],
  ])('%s', (_, loader) => {
    expect(refused(loader)).not.toThrow();
  });
});

describe('a board cannot, and says why:', () => {
  test('a Pi 4 of April 2021', () => {
    expect(refused({ ...PI4, built: 1_619_712_685 })).toThrow(
      expect.objectContaining({
        code: 'bootloader-too-old',
        message: "the board's boot loader is of 2021-04-29 (83b5e5e6): it cannot try an update",
        expected: "the boot loader of 2022-10-18 or a later one in the board's EEPROM",
        remedy: expect.stringContaining('rpi-eeprom-update -a'),
      }),
    );
  });

  test('a Pi 4 of the second before', () => {
    expect(refused({ ...PI4, built: Date.UTC(2022, 9, 18) / 1000 - 1 })).toThrow('of 2022-10-17');
  });

  test('a Pi 4 that does not say how old it is', () => {
    expect(refused({ ...PI4, built: undefined, version: undefined })).toThrow(
      "the board's boot loader is of before it said so: it cannot try an update",
    );
  });
});

describe('the device tree, as the kernel shows it', () => {
  let tree: string;
  beforeEach(async () => {
    tree = await mkdtemp(join(tmpdir(), 'hearth-tree-'));
  });
  afterEach(() => rm(tree, { recursive: true }));

  test('of a Pi with an EEPROM', async () => {
    await mkdir(join(tree, 'chosen/bootloader'), { recursive: true });
    await writeFile(join(tree, 'compatible'), 'raspberrypi,4-model-b\0brcm,bcm2711\0');
    await writeFile(join(tree, 'chosen/bootloader/build-timestamp'), Buffer.from('66422e75', 'hex'));
    await writeFile(join(tree, 'chosen/bootloader/version'), `${VERSION}\0`);
    expect(await readPiLoader(tree)).toEqual({ ...PI4, built: 0x66422e75 });
  });

  test('of one without, and of no Pi', async () => {
    await writeFile(join(tree, 'compatible'), 'raspberrypi,3-model-b\0brcm,bcm2837\0');
    expect(await readPiLoader(tree)).toEqual({
      compatible: ['raspberrypi,3-model-b', 'brcm,bcm2837'],
      built: undefined,
      version: undefined,
    });
    const none = { compatible: [], built: undefined, version: undefined };
    expect(await readPiLoader(join(tree, 'none'))).toEqual(none);
  });
});
