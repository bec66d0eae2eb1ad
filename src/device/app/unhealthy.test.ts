import { expect, test } from 'vitest';
import { MAX_REBOOTS, rebootReason } from './unhealthy.ts';

test('three reboots in a row, then it stays up (P10)', () => {
  let cause = 'first-boot';
  const reasons: string[] = [];
  for (let reason = rebootReason(cause); reason !== undefined; reason = rebootReason(cause)) {
    reasons.push(reason);
    cause = `reboot: ${reason}`;
  }
  expect(reasons).toEqual(['app-failed 1', 'app-failed 2', 'app-failed 3']);
  expect(reasons).toHaveLength(MAX_REBOOTS);
});

test('a boot for any other reason starts from one', () => {
  for (const cause of [
    'watchdog',
    'reboot: user',
    'poweroff: app-failed 3',
    'unknown (power loss, reset button or watchdog)',
  ]) {
    expect(rebootReason(cause)).toBe('app-failed 1');
  }
});
