import { expect, test } from 'vitest';
import type { AppState } from '../app/runner.ts';
import { type TrialFacts, type Verdict, verdictOf } from './verdict.ts';

const RULES = { healthySeconds: 30, trialSeconds: 300, validate: 'auto' } as const;
const MANUAL = { ...RULES, validate: 'manual' } as const;
const healthy: AppState = { name: 'healthy', pid: 7 };
const starting: AppState = { name: 'starting', pid: 7 };
const facts: TrialFacts = {
  now: 5_000,
  app: starting,
  healthySince: undefined,
  heard: 300_000,
  via: 'ssh',
  reachable: false,
};
const up: TrialFacts = { ...facts, app: healthy, healthySince: 4_000 };
const wait = (at: number): Verdict => ({ kind: 'wait', at });

test.each<[string, TrialFacts, Verdict, (typeof RULES | typeof MANUAL)?]>([
  ['it starts', facts, wait(300_000)],
  ['healthy, but not for long', { ...up, reachable: true }, wait(34_000)],
  ['just before', { ...up, reachable: true, now: 33_999 }, wait(34_000)],
  [
    'healthy for long enough, and reached',
    { ...up, reachable: true, now: 34_000 },
    { kind: 'validate', reason: 'healthy for 30 s, and reached by ssh' },
  ],
  // Its last sign was its first one.
  ['hangs since it was healthy', { ...up, heard: 4_000, reachable: true, now: 34_000 }, wait(34_500)],
  ['a sign just before', { ...up, heard: 33_999, reachable: true, now: 34_100 }, wait(34_600)],
  [
    'the sign that was missing',
    { ...up, heard: 34_000, reachable: true, now: 34_600 },
    { kind: 'validate', reason: 'healthy for 30 s, and reached by ssh' },
  ],
  ['healthy, but nobody has come back', { ...up, now: 200_000 }, wait(300_000)],
  [
    'the same for too long',
    { ...up, now: 300_000 },
    { kind: 'revert', reason: 'nobody came back by ssh within 300 s' },
  ],
  [
    'it came by a link that nobody comes back by',
    { ...up, via: 'file', now: 34_000 },
    { kind: 'validate', reason: 'healthy for 30 s' },
  ],
  ['healthy again near the end: the deadline is first', { ...up, healthySince: 290_000 }, wait(300_000)],
  [
    'never healthy',
    { ...facts, reachable: true, now: 300_000 },
    { kind: 'revert', reason: 'the app was not healthy for 30 s within 300 s (starting)' },
  ],
  [
    'healthy too late',
    { ...up, healthySince: 290_000, reachable: true, now: 300_000 },
    { kind: 'revert', reason: 'the app was not healthy for 30 s within 300 s (healthy)' },
  ],
  [
    'between two crashes at the end',
    { ...facts, app: { name: 'waiting', reason: 'it exited with 1', delayMs: 9 }, now: 300_000 },
    {
      kind: 'revert',
      reason: 'the app was not healthy for 30 s within 300 s (waiting: it exited with 1)',
    },
  ],
  [
    'given up: at once, also when it was reached',
    { ...facts, app: { name: 'failed', reason: 'it exited with 1' }, reachable: true },
    { kind: 'revert', reason: 'the app has failed: it exited with 1' },
  ],
  [
    'by hand: healthy and reached is not enough',
    { ...up, reachable: true, now: 60_000 },
    wait(300_000),
    MANUAL,
  ],
  [
    'by hand, and nobody did',
    { ...up, reachable: true, now: 300_000 },
    { kind: 'revert', reason: 'nobody validated it within 300 s' },
    MANUAL,
  ],
])('%s', (_, given, verdict, rules = RULES) => {
  expect(verdictOf(given, rules)).toEqual(verdict);
});
