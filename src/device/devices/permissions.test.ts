import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { APP_USER } from '../paths.ts';
import { GROUPS, groupFor } from './permissions.ts';

const rootfs = new URL('../../../firmware/rootfs/', import.meta.url);

test('the numbers are those of the root, and the app is a member', () => {
  const groups = new Map(
    readFileSync(new URL('etc/group', rootfs), 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(':'))
      .map(([name = '', , gid, members]) => [name, { gid: Number(gid), members }]),
  );
  for (const [name, gid] of Object.entries(GROUPS)) {
    expect(groups.get(name), name).toEqual({ gid, members: APP_USER.name });
  }
  const passwd = readFileSync(new URL('etc/passwd', rootfs), 'utf8');
  expect(passwd).toContain(`\n${APP_USER.name}:x:${APP_USER.uid}:${APP_USER.gid}:`);
});

test.each([
  ['ttyUSB0', 'dialout'],
  ['ttyAMA10', 'dialout'],
  ['ttyS1', 'dialout'],
  ['gpiochip0', 'gpio'],
  ['i2c-12', 'i2c'],
  ['spidev0.1', 'spi'],
  ['video0', 'video'],
  ['dri/card0', 'video'],
  ['input/event3', 'input'],
  ['snd/pcmC0D0p', 'audio'],
  ['bus/usb/001/002', 'plugdev'],
] as const)('%s is for %s', (name, group) => {
  expect(groupFor(name)).toBe(group);
});

test.each([
  'tty',
  'tty1',
  'console',
  'mem',
  'sda1',
  'vda',
  'mmcblk0p5',
  'watchdog0',
  'nvme0',
  'kmsg',
  'ttyS',
  '../ttyUSB0',
  'i2c-1/x',
  'snd/../sda',
])('%s stays with root', (name) => {
  expect(groupFor(name)).toBeUndefined();
});
