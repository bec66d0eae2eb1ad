import { expect, test } from 'vitest';
import { judge } from './watch.ts';

test('full is said once, and so is the end of it; in between nothing flickers', () => {
  let state = { readOnly: false, full: false };
  const said = [0.5, 0.009, 0.0, 0.02, 0.009, 0.04, 0.5].map((freeShare) => {
    const { words, ...next } = judge(state, { readOnly: false, freeShare });
    state = next;
    return words.length;
  });
  expect(said).toEqual([0, 1, 0, 0, 0, 1, 0]);
});

test('a file system that the kernel has made read-only is said once', () => {
  const first = judge({ readOnly: false, full: false }, { readOnly: true, freeShare: 1 });
  expect(first.words).toEqual([expect.stringContaining('has become read-only')]);
  expect(judge(first, { readOnly: true, freeShare: 1 }).words).toEqual([]);
  expect(judge({ readOnly: true, full: false }, { readOnly: true, freeShare: 1 }).words).toEqual([]);
});
