import { expect, test } from 'vitest';
import { Wait } from './backoff.ts';

test('waits grow to the longest; a child that was up for so long begins anew', () => {
  const wait = new Wait();
  const backoff = { minMs: 10, maxMs: 100, factor: 3 };
  expect([1, 1, 1, 99, 100, 1].map((upMs) => wait.next(backoff, upMs))).toEqual([10, 30, 90, 100, 10, 30]);
  expect(new Wait().next(undefined, 0)).toBe(0);
});
