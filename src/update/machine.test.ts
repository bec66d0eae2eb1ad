import { describe, expect, test } from 'vitest';
import { atBoot, rebootInto } from './machine.ts';
import { recordOf } from './record.ts';

const ON_TRIAL = recordOf(
  new Map([
    ['update.state', 'trial'],
    ['update.into', 'b'],
    ['update.version', '1.2.0'],
  ]),
);

test.each([
  ['unknown (power loss, reset button or watchdog)', 'power-lost'],
  ['watchdog', 'it hung: the watchdog reset the machine'],
  ['reboot: hearthd ended with status 127', 'hearthd ended with status 127'],
  [`reboot: ${rebootInto('1.2.0')}`, 'it did not start: its kernel was not reached, or ended early'],
  ['reboot: no root', 'it did not come up (reboot: no root)'],
])('the slot before a trial boots after “%s”: reverted, %s', (resetCause, reason) => {
  const { record } = atBoot(ON_TRIAL, { booted: 'a', preferred: 'a', again: false, resetCause });
  expect(record).toMatchObject({ update: undefined, last: { result: 'reverted', version: '1.2.0', reason } });
});

test('what the system on trial said itself goes before what heart saw of its end', () => {
  const said = {
    ...ON_TRIAL,
    update: ON_TRIAL.update && { ...ON_TRIAL.update, reason: 'the app has failed' },
  };
  const { record } = atBoot(said, { booted: 'a', preferred: 'a', again: false, resetCause: 'watchdog' });
  expect(record.last?.reason).toBe('the app has failed');
});

describe('a slot that boots and is not the preferred one', () => {
  const slot = { version: '1.2.0', uuid: 'u', product: 'p', target: 't', installed: undefined };
  const facts = { booted: 'b', preferred: 'a', resetCause: 'watchdog', again: false } as const;
  const idle = { ...ON_TRIAL, update: undefined };

  test.each([
    ['stays preferred from now on where it was permanent once: heart has chosen it', true, 'b'],
    ['is not made permanent by having been booted where it never was', false, undefined],
  ])('%s', (_, validated, commit) => {
    const record = { ...idle, slots: { a: undefined, b: { ...slot, validated } } };
    expect(atBoot(record, facts)).toMatchObject({ commit, trial: false });
  });

  test('is preferred in any case where the switch is damaged', () => {
    expect(atBoot(idle, { ...facts, preferred: undefined })).toMatchObject({ commit: 'b' });
  });
});
