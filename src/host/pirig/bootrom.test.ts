import { rm } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readChoice } from './board.ts';
import {
  AUTOBOOT,
  type CardPartition,
  CONFIG,
  CONTROL,
  cardFolder,
  DTB,
  type Files,
  image,
  makeCard,
  slot,
} from './card.fixture.ts';

let folder: string;
beforeAll(async () => {
  folder = await cardFolder();
});
afterAll(() => rm(folder, { recursive: true }));

function without(files: Files, ...names: string[]): Files {
  return Object.fromEntries(Object.entries(files).filter(([name]) => !names.includes(name)));
}

function control(files: Files = CONTROL, rest: Partial<CardPartition> = {}): CardPartition {
  return { size: 4, files, ...rest };
}

async function boot(partitions: CardPartition[], tryboot = false): ReturnType<typeof readChoice> {
  return readChoice(await makeCard(folder, { partitions }), tryboot);
}

/** The card of a single slot, with changes to its files. */
function bootSlot(files: Files): ReturnType<typeof readChoice> {
  return boot([control(), { size: 4, files: { ...slot('a'), ...files } }]);
}

function failure(code: { where: string; expected?: unknown }, words: string) {
  return expect.objectContaining({
    code: 'pi-does-not-boot',
    message: expect.stringContaining(words),
    ...code,
  });
}

describe('a card with two slots', () => {
  test('boots the slot that autoboot.txt names, and the other one once when told to', async () => {
    const card = await makeCard(folder, {
      partitions: [control(), { size: 4, files: slot('a') }, { size: 4, files: slot('b') }],
    });
    const usual = await readChoice(card, false);
    expect(usual.partition).toBe(2);
    expect(usual.cmdline).toBe('console=ttyS1 slot=a');
    expect(Buffer.from(usual.kernel)).toEqual(image('a'));
    expect(Buffer.from(usual.initramfs ?? '').toString()).toBe('initramfs a');
    expect(Buffer.from(usual.dtb)).toEqual(Buffer.from(DTB));
    const trial = await readChoice(card, true);
    expect(trial.partition).toBe(3);
    expect(trial.cmdline).toBe('console=ttyS1 slot=b');
    expect(trial.trace.join('\n')).toContain('(tryboot)');
  });

  test('boots from FAT32 and from partition type 0x0e too', async () => {
    const choice = await boot([
      control(CONTROL, { type: 'e' }),
      { size: 40, fat: 32, type: 'b', files: slot('a') },
    ]);
    expect(choice.partition).toBe(2);
  });

  test('takes the first FAT partition for its control partition, whatever its number', async () => {
    const files = { ...CONTROL, 'autoboot.txt': 'boot_partition=3\n' };
    const choice = await boot([{ size: 1, type: '83' }, control(files), { size: 4, files: slot('a') }]);
    expect(choice.partition).toBe(3);
  });

  test('boots from the control partition without autoboot.txt, or with boot_partition=0', async () => {
    const all = { ...CONTROL, ...slot('a') };
    expect((await boot([control(without(all, 'autoboot.txt'))])).partition).toBe(1);
    expect((await boot([control({ ...all, 'autoboot.txt': 'boot_partition=0' })])).partition).toBe(1);
  });

  test('without tryboot_a_b, tryboot means another configuration on the same partition', async () => {
    const files = { ...CONTROL, 'autoboot.txt': 'boot_partition=2\n' };
    const own = { ...slot('a'), 'tryboot.txt': `${CONFIG}cmdline=other.txt\n`, 'other.txt': 'once' };
    const choice = await boot([control(files), { size: 4, files: own }], true);
    expect(choice).toMatchObject({ partition: 2, cmdline: 'once' });
  });
});

describe('what the firmware loads', () => {
  test('decompresses a gzip kernel', async () => {
    const { kernel } = await bootSlot({ 'kernel8.img': gzipSync(image('packed')) });
    expect(Buffer.from(kernel)).toEqual(image('packed'));
  });

  test('takes a 64-bit kernel by its well-known name without arm_64bit', async () => {
    const { kernel } = await bootSlot({ 'config.txt': 'upstream_kernel=1\nkernel=kernel8.img\n' });
    expect(Buffer.from(kernel)).toEqual(image('a'));
  });

  test('goes without an initramfs when none is named, and finds one by itself with auto_initramfs', async () => {
    const plain = 'arm_64bit=1\nupstream_kernel=1\n';
    expect((await bootSlot({ 'config.txt': plain })).initramfs).toBeUndefined();
    const auto = await bootSlot({ 'config.txt': `${plain}auto_initramfs=1\n`, initramfs8: 'found' });
    expect(Buffer.from(auto.initramfs ?? '').toString()).toBe('found');
  });

  test('concatenates several initramfs files', async () => {
    const both = await bootSlot({
      'config.txt': `${CONFIG}initramfs one,two followkernel\n`,
      one: '1',
      two: '2',
    });
    expect(Buffer.from(both.initramfs ?? '').toString()).toBe('12');
  });

  test("prefers Linux's name of the device tree only with upstream_kernel", async () => {
    const trees = { 'bcm2710-rpi-3-b.dtb': DTB };
    const down = await bootSlot({ ...trees, 'config.txt': 'arm_64bit=1\n' });
    expect(down.trace.join('\n')).toContain('bcm2710-rpi-3-b.dtb');
    const up = await bootSlot(trees);
    expect(up.trace.join('\n')).toContain('bcm2837-rpi-3-b.dtb');
  });

  test('uses a prefix only where kernel and device tree are there', async () => {
    const prefixed = {
      'os/kernel8.img': image('os'),
      'os/bcm2837-rpi-3-b.dtb': DTB,
      'os/cmdline.txt': 'from os',
    };
    const config = 'arm_64bit=1\nupstream_kernel=1\nos_prefix=os/\n';
    expect((await bootSlot({ ...prefixed, 'config.txt': config })).cmdline).toBe('from os');
    const incomplete = await bootSlot({
      ...without(prefixed, 'os/bcm2837-rpi-3-b.dtb'),
      'config.txt': config,
    });
    expect(incomplete.cmdline).toBe('console=ttyS1 slot=a');
  });

  test('reads only the first line of cmdline.txt', async () => {
    const { cmdline, trace } = await bootSlot({ 'cmdline.txt': 'first line  \nsecond line\n' });
    expect(cmdline).toBe('first line');
    expect(trace).toContain('cmdline.txt: only its first line counts');
  });

  test('starts another firmware for little memory', async () => {
    const config = `${CONFIG}gpu_mem=16\n`;
    await expect(bootSlot({ 'config.txt': config })).rejects.toThrow(
      failure({ where: 'partition 2: start_cd.elf' }, 'flashes 4 times'),
    );
    const cut = { 'start_cd.elf': 'cut', 'fixup_cd.dat': 'cut' };
    expect((await bootSlot({ 'config.txt': config, ...cut })).partition).toBe(2);
  });
});

describe('a card that a real board would not boot from', () => {
  test('a GPT', async () => {
    const card = await makeCard(folder, { partitions: [control()], label: 'gpt' });
    await expect(readChoice(card, false)).rejects.toThrow(
      failure({ where: 'the partition table' }, 'stays dark'),
    );
  });

  test('an EFI system partition, or no FAT partition', async () => {
    for (const type of ['ef', '83']) {
      await expect(boot([control(CONTROL, { type })])).rejects.toThrow(
        failure({ where: 'the partition table' }, 'no FAT partition'),
      );
    }
  });

  test('FAT12, or a FAT16 that is too small', async () => {
    await expect(boot([control(CONTROL, { fat: 12 })])).rejects.toThrow(
      failure({ where: 'partition 1' }, 'FAT12'),
    );
    await expect(boot([control(without(CONTROL, 'config.txt'), { size: 1, fat: 12 })])).rejects.toThrow(
      failure({ where: 'partition 1' }, 'too small'),
    );
  });

  test('no bootcode.bin', async () => {
    await expect(boot([control(without(CONTROL, 'bootcode.bin'))])).rejects.toThrow(
      failure({ where: 'partition 1: bootcode.bin' }, 'stays dark'),
    );
  });

  test('autoboot.txt without config.txt, or of more than a sector', async () => {
    const b = { size: 4, files: slot('a') };
    await expect(boot([control(without(CONTROL, 'config.txt')), b])).rejects.toThrow(
      failure({ where: 'partition 1: config.txt' }, 'ignored'),
    );
    const long = { ...CONTROL, 'autoboot.txt': AUTOBOOT.padEnd(513, '\n') };
    await expect(boot([control(long), b])).rejects.toThrow(
      failure({ where: 'partition 1: autoboot.txt' }, '513 bytes'),
    );
  });

  test('a boot partition that is not there, no number, or not FAT', async () => {
    await expect(boot([control(), { size: 4, files: slot('a') }], true)).rejects.toThrow(
      failure({ where: 'partition 3' }, 'does not exist'),
    );
    const word = { ...CONTROL, 'autoboot.txt': '[all]\nboot_partition=two\n' };
    await expect(boot([control(word)])).rejects.toThrow(
      failure({ where: 'partition 1: autoboot.txt, line 2' }, 'boot_partition=two'),
    );
    await expect(boot([control(), { size: 4, type: '83' }])).rejects.toThrow(
      failure({ where: 'partition 2' }, 'type 0x83'),
    );
    await expect(boot([control(), { size: 4 }])).rejects.toThrow(
      failure({ where: 'partition 2' }, 'cannot be read'),
    );
  });

  test.each([
    ['start.elf', 'flashes 4 times'],
    ['fixup.dat', 'flashes 4 times'],
    ['kernel8.img', 'flashes 7 times'],
    ['initramfs.img', 'rainbow'],
    ['bcm2837-rpi-3-b.dtb', 'rainbow'],
  ])('a slot without %s', async (name, symptom) => {
    const partitions = [control(), { size: 4, files: without(slot('a'), name) }];
    await expect(boot(partitions)).rejects.toThrow(
      failure({ where: expect.stringContaining(`partition 2: ${name}`) as unknown as string }, symptom),
    );
  });

  test.each([
    ['kernel8.img', 'not a kernel'.padEnd(4096), 'no 64-bit kernel'],
    ['kernel8.img', gzipSync(image('a')).subarray(0, 40), 'cannot be decompressed'],
    ['bcm2837-rpi-3-b.dtb', DTB.subarray(0, DTB.length - 1), 'no device tree'],
    ['bcm2837-rpi-3-b.dtb', 'garbage', 'no device tree'],
    ['initramfs.img', '', 'is empty'],
  ])('a slot whose %s is damaged', async (name, content, words) => {
    await expect(bootSlot({ [name]: content })).rejects.toThrow(
      failure({ where: `partition 2: ${name}` }, words),
    );
  });

  test('a 32-bit configuration', async () => {
    await expect(bootSlot({ 'config.txt': 'kernel=zImage\n' })).rejects.toThrow(
      failure({ where: 'partition 2: config.txt', expected: 'arm_64bit=1' }, '32-bit'),
    );
  });

  test('device_tree= without a name', async () => {
    await expect(bootSlot({ 'config.txt': `${CONFIG}device_tree=\n` })).rejects.toThrow(
      failure({ where: 'partition 2: config.txt: device_tree=' }, 'no device tree'),
    );
  });
});
