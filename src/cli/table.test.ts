import { expect, test } from 'vitest';
import { elided, fitted, table } from './table.ts';

test('columns are as wide as their widest cell; nothing trails', () => {
  expect(
    table(
      [
        ['NAME', 'SIZE', ''],
        ['a', '10', 'x'],
        ['long name', '9', ''],
      ],
      ['left', 'right'],
    ),
  ).toEqual(['NAME       SIZE', 'a            10  x', 'long name     9']);
  expect(table([])).toEqual([]);
});

test('a list says how much of it does not fit', () => {
  const items = ['MIT', 'ISC', 'Zlib'];
  expect(fitted(items, 14)).toBe('MIT, ISC, Zlib');
  expect(fitted(items, 13)).toBe('MIT, ISC, +1');
  expect(fitted(items, 1)).toBe('MIT, +2');
  expect([fitted(['long enough'], 1), fitted([], 9)]).toEqual(['long enough', '']);
});

test('a path loses its middle', () => {
  expect(elided('/usr/lib/modules/6.12/kernel/ext4.ko', 20)).toBe('/usr/l…ernel/ext4.ko');
  expect(elided('/bin/sh', 7)).toBe('/bin/sh');
});

test('text of others cannot act on the terminal, or make lines', () => {
  expect(table([['a\x1b[2Jb', 'c\nd']])).toEqual(['a\ufffd[2Jb  c\ufffdd']);
  expect(elided('/\x9b1A\r/x', 99)).toBe('/\ufffd1A\ufffd/x');
});
