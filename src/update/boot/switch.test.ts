import { describe, expect, test } from 'vitest';
import { autobootTxt, slotOfAutoboot } from './autoboot.ts';
import { loaderConf, slotOfLoaderConf } from './loader-conf.ts';

const SLOTS = ['a', 'b'] as const;

describe('what a commit changes is exactly one sector', () => {
  test.each(SLOTS)('loader.conf for slot %s', (slot) => {
    const bytes = Buffer.from(loaderConf(slot));
    expect(bytes.length).toBe(512);
    const lines = bytes.toString().split('\n').filter(Boolean);
    expect(lines).toEqual([
      expect.stringMatching(/^#/),
      'timeout 0',
      'editor no',
      'auto-entries no',
      `default slot-${slot}.efi`,
    ]);
    expect(bytes.at(-1)).toBe(0x0a);
  });

  test.each([
    ['a', 2, 3],
    ['b', 3, 2],
  ] as const)('autoboot.txt for slot %s', (slot, own, other) => {
    const bytes = Buffer.from(autobootTxt(slot));
    expect(bytes.length).toBe(512);
    expect(bytes.toString().trimEnd()).toBe(
      `[all]\ntryboot_a_b=1\nboot_partition=${own}\n[tryboot]\nboot_partition=${other}`,
    );
  });
});

describe('what is read from it', () => {
  test.each(SLOTS)('is the slot that was written, %s', (slot) => {
    expect(slotOfLoaderConf(loaderConf(slot))).toBe(slot);
    expect(slotOfAutoboot(autobootTxt(slot))).toBe(slot);
  });

  test.each([
    ['zeros', new Uint8Array(512)],
    ['a half of one', Buffer.concat([loaderConf('a').subarray(0, 80), new Uint8Array(432)])],
    ['a list of tryboot only', Buffer.from('[tryboot]\nboot_partition=3\n')],
    ['another slot', Buffer.from('default slot-c.efi\nboot_partition=4\n')],
  ])('is nothing, of %s', (_, sector) => {
    expect(slotOfLoaderConf(sector)).toBeUndefined();
    expect(slotOfAutoboot(sector)).toBeUndefined();
  });
});
