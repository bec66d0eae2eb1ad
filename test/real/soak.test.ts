import { describe, expect, test } from 'vitest';
import { type Campaign, campaign } from '../soak/campaign.ts';
import { slope, type Verdict, verdicts } from '../soak/verdicts.ts';

// A slice of what scripts/soak does for half an hour: the same code, in less time.
const SEED = Math.floor(Math.random() * 2 ** 32);
const SLICE: Campaign = { seed: SEED, seconds: 10, roundSeconds: 1.5, victimSeconds: 3 };

/** Faults, and the verdicts that each of them makes fail. */
const CAUGHT: Readonly<Record<string, string>> = {
  heap: 'the heap is flat, from rest to rest',
  buffers: 'buffers are flat, from rest to rest',
  monitor: 'at rest all is as it was in the beginning',
  zombie: 'no zombie is older than a second',
  rejection: 'nothing is unhandled, and nothing warns',
  unanswered: 'every call is answered or refused',
  late: 'every call is settled in time',
  loop: 'the event loop turns',
  restart: 'restarts are those that were told of',
  complaint: 'everything did what it says',
  process: 'no process of the library is left',
  timer: 'the program ends by itself',
  orphan: 'no orphan is left',
};

describe.runIf(process.platform === 'linux').concurrent(`the soak (seed ${SEED})`, () => {
  test('keeps its promises', async () => {
    const judged = verdicts(await campaign(SLICE));
    expect(broken(judged)).toEqual([]);
  });

  test('sees every one of them broken', async () => {
    const sabotage = Object.keys(CAUGHT);
    const judged = verdicts(
      await campaign({ ...SLICE, seconds: 6, roundSeconds: 1, calmSeconds: 4, sabotage }),
    );
    const kept = judged.filter((verdict) => verdict.kept).map(({ promise }) => promise);
    expect(Object.values(CAUGHT).filter((promise) => kept.includes(promise))).toEqual([]);
  });
});

test('the slope is that of most points, whatever a few of them are', () => {
  const line = Array.from({ length: 20 }, (_, x) => [x, 3 * x + 1] as const);
  expect(slope(line)).toBe(3);
  expect(slope([...line, [20, 1e9], [21, -1e9]])).toBe(3);
  expect(
    slope([
      [0, 1],
      [1, 2],
      [2, 1],
    ]),
  ).toBe(0);
  expect(
    slope([
      [0, 0],
      [1, 1],
      [2, 4],
      [3, 9],
    ]),
  ).toBe(3);
});

function broken(judged: readonly Verdict[]): string[] {
  return judged.filter(({ kept }) => !kept).map(({ promise, found }) => `${promise}: ${found}`);
}
