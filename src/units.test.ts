import { expect, test } from 'vitest';
import { duration, megabytes, shortBytes } from './units.ts';

test('megabytes are decimal, with one place', () => {
  expect(megabytes(12_345_678)).toBe('12.3 MB');
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [999.6, '1.0 kB'],
  [1000, '1.0 kB'],
  [9_940, '9.9 kB'],
  [9_960, '10 kB'],
  [999_600, '1.0 MB'],
  [1_234_567, '1.2 MB'],
  [108_345_678, '108 MB'],
  [4_294_967_296, '4.3 GB'],
  [5e15, '5000 TB'],
  [-1, '0 B'],
])('%d bytes are %s in short', (bytes, text) => {
  expect(shortBytes(bytes)).toBe(text);
});

test.each([
  [0, '0 s'],
  [0.2, '1 s'],
  [59, '59 s'],
  [59.5, '1 min 0 s'],
  [200, '3 min 20 s'],
  [3599, '59 min 59 s'],
  [3600, '1 h 0 min'],
  [86_400 * 2, '48 h 0 min'],
])('%d seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});
