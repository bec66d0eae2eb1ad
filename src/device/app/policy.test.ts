import { expect, test } from 'vitest';
import { decide, recentEnds } from './policy.ts';

const limits = { maxRestarts: 5, restartWindowMs: 120_000 };

test('the first restart is immediate, the next wait 1, 2, 4, 8 s, then it is given up', () => {
  const ends: number[] = [];
  const delays: (number | string)[] = [];
  let now = 0;
  for (let i = 0; i < 6; i++) {
    ends.push(now);
    const decision = decide(ends, now, limits);
    delays.push(decision.kind === 'restart' ? decision.delayMs : decision.kind);
    now += 1 + (decision.kind === 'restart' ? decision.delayMs : 0);
  }
  expect(delays).toEqual([0, 1_000, 2_000, 4_000, 8_000, 'give-up']);
});

test('waits never exceed 8 s', () => {
  const ends = Array.from({ length: 20 }, () => 0);
  expect(decide(ends, 0, { ...limits, maxRestarts: 50 })).toEqual({ kind: 'restart', delayMs: 8_000 });
});

test('a crash now and then is never too many', () => {
  const ends = [0, 100_000, 200_000, 300_000, 400_000, 500_000, 600_000];
  expect(recentEnds(ends, 600_000, limits)).toEqual([500_000, 600_000]);
  expect(decide(ends, 600_000, limits)).toEqual({ kind: 'restart', delayMs: 1_000 });
});

test('no restarts allowed: the first end is the last', () => {
  expect(decide([7], 7, { ...limits, maxRestarts: 0 })).toEqual({ kind: 'give-up' });
});
