import { describe, expect, test } from 'vitest';
import { type ConfigContext, parseConfigText, settingOf } from './config-txt.ts';

const PI3: ConfigContext = { models: ['pi3'], tryboot: false, partition: 2 };

function lastValue(text: string, key: string, context: ConfigContext = PI3): string | undefined {
  return settingOf(parseConfigText(text, context), key)?.value;
}

describe('config.txt', () => {
  test('has settings, comments, empty lines and any line end', () => {
    const { settings } = parseConfigText(
      '# Hearth\r\narm_64bit=1\r\n\r\nkernel = kernel8.img # this one\n',
      PI3,
    );
    expect(settings).toEqual([
      { key: 'arm_64bit', value: '1', line: 2 },
      { key: 'kernel', value: 'kernel8.img', line: 4 },
    ]);
  });

  test('takes initramfs without an equals sign', () => {
    expect(lastValue('initramfs a.img followkernel\n', 'initramfs')).toBe('a.img followkernel');
  });

  test('lets the last of several win, and an empty value count', () => {
    expect(lastValue('a=1\na=2\n', 'a')).toBe('2');
    expect(lastValue('device_tree=\n', 'device_tree')).toBe('');
  });

  test('cuts long lines where the firmware does, and says so', () => {
    const { settings, notes } = parseConfigText(`a=${'x'.repeat(200)}\n`, PI3);
    expect(settings[0]?.value).toHaveLength(96);
    expect(notes).toEqual(['line 1 is longer than 98 characters and is cut there']);
  });

  test('says what is no setting', () => {
    expect(parseConfigText('=1\n', PI3).notes).toEqual(["line 1: '=1' is no setting and is ignored"]);
  });
});

describe('conditional filters', () => {
  test.each([
    ['[pi3]\na=1\n', '1'],
    ['[pi4]\na=1\n', undefined],
    ['[pi3+]\na=1\n', undefined],
    ['[pi02]\na=1\n', undefined],
    ['[none]\na=1\n', undefined],
    ['[pi4]\na=1\n[all]\na=2\n', '2'],
    ['[none]\n[all]\na=2\n', '2'],
    ['[tryboot]\na=1\n', undefined],
    ['[partition=2]\na=1\n', '1'],
    ['[partition=3]\na=1\n', undefined],
  ])('%j gives %j', (text, expected) => {
    expect(lastValue(text, 'a')).toBe(expected);
  });

  test('[tryboot] applies to the one boot that tries', () => {
    expect(lastValue('[tryboot]\na=1\n', 'a', { ...PI3, tryboot: true })).toBe('1');
  });

  test('of one kind replace each other, of different kinds combine', () => {
    expect(lastValue('[pi4]\n[pi3]\na=1\n', 'a')).toBe('1');
    expect(lastValue('[pi3]\n[tryboot]\na=1\n', 'a')).toBeUndefined();
    expect(lastValue('[tryboot]\n[pi3]\na=1\n', 'a')).toBeUndefined();
  });

  test('that are not modelled do not apply, and are reported', () => {
    const { settings, notes } = parseConfigText(
      '[EDID=VSC-TD2220]\na=1\n[0x12345678]\nb=1\n[all]\nc=1\n',
      PI3,
    );
    expect(settings.map(({ key }) => key)).toEqual(['c']);
    expect(notes).toHaveLength(2);
  });
});
