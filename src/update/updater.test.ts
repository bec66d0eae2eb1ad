import { beforeAll, describe, expect, test } from 'vitest';
import { newSigner } from '../archive/test-firmware.ts';
import { FwError } from '../errors.ts';
import {
  boot,
  bootSlot,
  contentOf,
  type Family,
  firmware,
  flashed,
  install,
  type Machine,
  rootOf,
} from './test-machine.ts';

let first: Buffer;
let second: Buffer;
beforeAll(async () => {
  [first, second] = await Promise.all([firmware(1), firmware(2)]);
});

async function machine(family: Family): Promise<Machine> {
  return { family, pages: await flashed(family, first), armed: undefined };
}

describe.each(['gpt', 'mbr'] as const)('an update on a disk with %s', (family) => {
  test('is taken in, tried once, and made permanent', async () => {
    const m = await machine(family);
    const old = await boot(m);
    expect(old.slot).toBe('a');
    expect(old.updater.state).toBe('idle');
    await install(old.updater, second);
    expect(old.updater.state).toBe('staged');
    expect(bootSlot({ ...m })).toBe('a');
    await old.updater.try();

    const fresh = await boot(m);
    expect(fresh.slot).toBe('b');
    expect(await contentOf(m, 'b')).toBe('1.2.0');
    expect(fresh.updater.trial).toBe(true);
    await fresh.updater.validate('healthy for 30 s');
    expect(fresh.updater.record).toMatchObject({
      active: 'b',
      update: undefined,
      last: { result: 'validated', version: '1.2.0', reason: 'healthy for 30 s' },
      slots: { b: { validated: true } },
    });
    expect((await boot(m)).slot).toBe('b');
  });

  test('that is given up is gone at the next boot, and the reason stays', async () => {
    const m = await machine(family);
    const old = await boot(m);
    await install(old.updater, second);
    await old.updater.try();
    const fresh = await boot(m);
    await fresh.updater.revert('the app has failed');
    const back = await boot(m);
    expect(back.slot).toBe('a');
    expect(back.updater.record).toMatchObject({
      active: 'a',
      update: undefined,
      last: { result: 'reverted', version: '1.2.0', reason: 'the app has failed' },
    });
  });

  test('sends only what neither slot has', async () => {
    const m = await machine(family);
    const { updater } = await boot(m);
    const { sent } = await install(updater, second);
    expect(sent).toBeLessThan(rootOf(1).length);
    expect(sent).toBeGreaterThanOrEqual(500 * 1024);
    // The same again is there already.
    expect(await install(updater, second)).toEqual({ sent: 0 });
  });

  test('is refused where it could never be tried, before anything is written', async () => {
    const m = await machine(family);
    const { disk, updater } = await boot(m, {
      oneShot: {
        ready: () => Promise.reject(new FwError('bootloader-too-old', 'of 2021')),
        arm: () => Promise.reject(new Error('not to be armed')),
      },
    });
    const before = disk.log.length;
    await expect(install(updater, second)).rejects.toMatchObject({ code: 'bootloader-too-old' });
    expect(disk.log.length).toBe(before);
    expect(updater.state).toBe('idle');
  });

  test('is refused when it is signed by somebody else, before anything is written', async () => {
    const m = await machine(family);
    const { updater, disk } = await boot(m);
    const strange = await firmware(3, { by: newSigner('somebody') });
    await expect(install(updater, strange)).rejects.toMatchObject({ code: 'fw-key-not-trusted' });
    expect(disk.log).toEqual([]);
    expect(updater.state).toBe('idle');
  });
});
