import { expect, test } from 'vitest';
import { parseBootInfo } from './boot-info.ts';

const text = `TARGET=x86_64
SLOT=b
UUID=1b4e28ba-2fa1-11d2-883f-0016d3cca427
DISK=/dev/vda
ROOT=/dev/vda4
DATA=/dev/vda5
TABLE=gpt
CONSOLE=log
WATCHDOG=i6300ESB timer
RESET_CAUSE=reboot: A=B
KERNEL_MS=812
`;

test('what heart writes', () => {
  expect(parseBootInfo(text)).toEqual({
    target: 'x86_64',
    slot: 'b',
    uuid: '1b4e28ba-2fa1-11d2-883f-0016d3cca427',
    disk: '/dev/vda',
    root: '/dev/vda4',
    data: '/dev/vda5',
    table: 'gpt',
    watchdog: 'i6300ESB timer',
    resetCause: 'reboot: A=B',
    kernelMs: 812,
  });
});

test('a disk without a data partition, a board without a watchdog', () => {
  const info = parseBootInfo(text.replace(/^DATA=.*$/m, 'DATA=').replace(/^WATCHDOG=.*\n/m, ''));
  expect([info.data, info.watchdog]).toEqual([undefined, undefined]);
});

test.each([
  ['SLOT', 'SLOT=c'],
  ['SLOT', ''],
  ['TABLE', 'TABLE=apm'],
  ['UUID', 'UUID='],
])('a bad %s is named', (key, line) => {
  expect(() => parseBootInfo(text.replace(new RegExp(`^${key}=.*$`, 'm'), line))).toThrow(
    expect.objectContaining({ code: 'bad-boot-info', where: key }),
  );
});
