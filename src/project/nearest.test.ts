import { expect, test } from 'vitest';
import { nearest } from './nearest.ts';

const FIELDS = ['name', 'version', 'console', 'updateKeys', 'beatTimeoutMs'];

test.each([
  ['nmae', 'name'],
  ['Console', 'console'],
  ['updatekey', 'updateKeys'],
  ['beatTimeout', 'beatTimeoutMs'],
  ['version', 'version'],
])('%s is meant to be %s', (word, meant) => {
  expect(nearest(word, FIELDS)).toBe(meant);
});

test.each(['wifi', 'x', 'timeoutOfTheBeat', ''])('%s is near to nothing', (word) => {
  expect(nearest(word, FIELDS)).toBeUndefined();
});

test('of two that are equally near the first is taken; of none, none', () => {
  expect(nearest('rpi9', ['rpi3', 'rpi4'])).toBe('rpi3');
  expect(nearest('rpi9', [])).toBeUndefined();
});
