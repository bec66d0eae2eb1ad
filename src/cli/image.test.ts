import { expect, test } from 'vitest';
import { diskSize } from './image.ts';

test('the size of a disk is bytes, or MiB and GiB', () => {
  expect([diskSize('1000'), diskSize('4 GiB'), diskSize('512MiB')]).toEqual([
    1000,
    4 * 1024 ** 3,
    512 * 1024 ** 2,
  ]);
  for (const wrong of ['', '0', '-1', '4 GB', '1e9', '4.5GiB', '99999999999999999999'])
    expect(() => diskSize(wrong), wrong).toThrow("such as '512MiB'");
});
