import { expect, test } from 'vitest';
import { Intensity } from './intensity.ts';

test('so many restarts within so many seconds, and not one more', () => {
  const intensity = new Intensity({ maxRestarts: 2, maxSeconds: 1 });
  // The period includes its end, as in OTP.
  expect([0, 500, 1_000].map((at) => intensity.restart(at))).toEqual([true, true, false]);
  const slow = new Intensity({ maxRestarts: 2, maxSeconds: 1 });
  expect([0, 500, 1_001, 1_501].map((at) => slow.restart(at))).toEqual([true, true, true, true]);
});

test('none, by default three in five seconds, any number', () => {
  expect(new Intensity({ maxRestarts: 0 }).restart(0)).toBe(false);
  const usual = new Intensity({});
  expect([0, 1, 2, 4_999].map((at) => usual.restart(at))).toEqual([true, true, true, false]);
  const any = new Intensity({ maxRestarts: Infinity });
  expect(Array.from({ length: 100 }, () => any.restart(0)).every(Boolean)).toBe(true);
});
