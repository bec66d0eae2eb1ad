import { expect, test } from 'vitest';
import { logger } from '../otp/index.ts';
import { logTo, speaker } from './log.ts';

test('a service says what it says: no level, no module; fields where there are any', () => {
  const said: string[] = [];
  logTo((line) => said.push(line));
  speaker('network')('eth0: 10.0.2.15/24');
  logger.module('port').with({ program: '/bin/busybox', pid: 7 }).info('no such applet');
  logger.error('two\nlines');
  expect(said).toEqual(['eth0: 10.0.2.15/24', 'no such applet program=/bin/busybox pid=7', 'two\\nlines']);
});
