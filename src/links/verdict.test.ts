import { expect, test } from 'vitest';
import type { DeviceStatus } from '../device/api/status.ts';
import { FwError } from '../errors.ts';
import type { Answer, DeviceLink } from './link.ts';
import { awaitVerdict, type Sent, type Standing, standingOf } from './verdict.ts';

const OLD = '00000000-0000-4000-8000-000000000001';
const NEW = '00000000-0000-4000-8000-000000000002';
const SENT: Sent = { uuid: NEW, slot: 'a', trialSeconds: 300 };

const base: DeviceStatus = {
  ...{ product: 'hello', version: '1.0.0', uuid: OLD, target: 'rpi3', slot: 'a', state: 'idle' },
  update: { healthySeconds: 30, trialSeconds: 300, validate: 'auto' },
  slots: {},
  app: { name: 'healthy' },
  data: 'persistent',
  network: {},
  uptimeSeconds: 10,
  resetCause: 'power-on',
};
const trial = { secondsLeft: 200, reachable: false, healthy: false };
const onTrial: DeviceStatus = { ...base, uuid: NEW, slot: 'b', state: 'trial', trial };
const validated: DeviceStatus = {
  ...{ ...base, uuid: NEW, slot: 'b' },
  last: { result: 'validated', version: '2.0.0', uuid: NEW, reason: 'healthy for 30 s' },
};
const reverted: DeviceStatus = {
  ...base,
  last: { result: 'reverted', version: '2.0.0', uuid: NEW, reason: 'the app has failed' },
};

test.each<[string, DeviceStatus, Standing]>([
  ['the old system, still up', { ...base, state: 'trial' }, { result: 'going-down' }],
  // What is remembered of an earlier try of the same firmware says nothing about this one.
  ['the same, after an earlier try', { ...reverted, state: 'trial' }, { result: 'going-down' }],
  ['the new system', onTrial, { result: 'trial', ...trial }],
  // It cannot tell of a trial any more, and has not rebooted yet.
  ['the new system, which has given itself up', { ...onTrial, trial: undefined }, { result: 'going-down' }],
  ['made permanent', validated, { result: 'validated', reason: 'healthy for 30 s' }],
  ['given up', reverted, { result: 'reverted', reason: 'the app has failed' }],
  ['back, and it knows nothing', base, { result: 'reverted', reason: 'the device does not say why' }],
  [
    'another firmware in its place',
    { ...validated, uuid: OLD },
    { result: 'reverted', reason: 'the device does not say why' },
  ],
  // The same firmware was sent again: its uuid is the old one's too, the slot is not.
  ['the same firmware again, still up', { ...base, uuid: NEW, state: 'trial' }, { result: 'going-down' }],
  [
    'to be decided by hand',
    {
      ...onTrial,
      update: { ...base.update, validate: 'manual' },
      trial: { ...trial, healthy: true, reachable: true },
    },
    { result: 'undecided', secondsLeft: 200 },
  ],
])('%s', (_, status, standing) => {
  expect(standingOf(status, SENT)).toEqual(standing);
});

const gone = new FwError('ssh-timeout', 'hello does not answer');

/** A device that answers so to one status after the other, and to the last for ever. */
function device(script: (DeviceStatus | FwError)[]): { link: DeviceLink; asked: string[] } {
  const asked: string[] = [];
  let at = 0;
  const ok = (output: string): Answer => ({ status: 0, output, errorOutput: '' });
  const link: DeviceLink = {
    name: 'hello',
    async call(words) {
      asked.push(words.join(' '));
      if (words[0] === 'reachable') return ok('');
      const next = script[Math.min(at++, script.length - 1)];
      if (next === undefined || next instanceof FwError) throw next;
      return ok(JSON.stringify(next));
    },
    open() {
      throw new Error('nothing is opened');
    },
  };
  return { link, asked };
}

/** Waits without waiting; tells how long it would have. */
function clock() {
  let ms = 0;
  const pauses: number[] = [];
  return {
    pauses,
    now: () => ms,
    sleep: async (pause: number) => {
      pauses.push(pause);
      ms += pause;
    },
    signal: new AbortController().signal,
  };
}

test('a device goes down, comes back, hears that it is reached, and is made permanent', async () => {
  const going: DeviceStatus = { ...base, state: 'trial' };
  const reached = { ...onTrial, trial: { ...trial, reachable: true } };
  const { link, asked } = device([going, gone, gone, onTrial, reached, validated]);
  const verdict = await awaitVerdict(link, SENT, clock());
  expect(verdict).toEqual({ result: 'validated', reason: 'healthy for 30 s' });
  expect(asked.filter((words) => words.startsWith('reachable'))).toEqual([`reachable ${NEW}`]);
});

test('while it is not there it is asked less and less often, but never less than every 5 s', async () => {
  const time = clock();
  const { link } = device([...Array.from({ length: 8 }, () => gone), reverted]);
  expect(await awaitVerdict(link, SENT, time)).toMatchObject({ result: 'reverted' });
  expect(time.pauses.toSorted((a, b) => a - b)).toEqual(time.pauses);
  expect(Math.max(...time.pauses)).toBe(5000);
});

test('one that stays away is given up after the longest trial and two boots', async () => {
  const time = clock();
  const waiting = awaitVerdict(device([gone]).link, SENT, { ...time, bootMs: 100_000 });
  await expect(waiting).rejects.toMatchObject({
    code: 'device-not-back',
    where: expect.stringContaining('does not answer'),
  });
  expect(time.now()).toBeGreaterThanOrEqual(400_000);
  expect(time.now()).toBeLessThan(410_000);
});

test('a trial that is prolonged is waited for', async () => {
  const time = clock();
  const long = Array.from({ length: 500 }, () => onTrial);
  const { link } = device([...long, validated]);
  expect(await awaitVerdict(link, { ...SENT, trialSeconds: 60 }, time)).toMatchObject({
    result: 'validated',
  });
});
