import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_REASON_LENGTH, parseAppMessage, parseHearthdMessage } from './channel.ts';

test('messages of the app', () => {
  expect(parseAppMessage({ type: 'started' })).toEqual({ type: 'started' });
  expect(parseAppMessage({ type: 'beat', extra: 1 })).toEqual({ type: 'beat' });
  expect(parseAppMessage({ type: 'health', ok: true })).toEqual({ type: 'health', ok: true });
  expect(parseAppMessage({ type: 'health', ok: false, reason: 'x'.repeat(9999) })).toEqual({
    type: 'health',
    ok: false,
    reason: 'x'.repeat(MAX_REASON_LENGTH),
  });
  expect(parseAppMessage({ type: 'health', ok: false, reason: 7 })).toEqual({
    type: 'health',
    ok: false,
    reason: 'no reason given',
  });
});

test('what process managers send, and malformed messages, are not messages', () => {
  for (const value of [
    'ready',
    null,
    undefined,
    7,
    [],
    {},
    { type: 'health' },
    { type: 'health', ok: 1 },
    { type: 'stop' },
  ]) {
    expect(parseAppMessage(value)).toBeUndefined();
  }
  for (const value of [
    { type: 'stop' },
    { type: 'stop', deadlineMs: '5' },
    { type: 'stop', deadlineMs: Number.NaN },
    { type: 'stop', deadlineMs: 0 },
  ]) {
    expect(parseHearthdMessage(value)).toBeUndefined();
  }
  expect(parseHearthdMessage({ type: 'stop', deadlineMs: 5 })).toEqual({ type: 'stop', deadlineMs: 5 });
  expect(parseHearthdMessage({ type: 'session', more: 1 })).toEqual({ type: 'session' });
  expect(parseAppMessage({ type: 'session' })).toBeUndefined();
});

test('the guards are total', () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      parseAppMessage(value);
      parseHearthdMessage(value);
    }),
  );
});
