import { expect, test } from 'vitest';
import type { Exec } from '../exec.ts';
import { loadExt4, mountedOn, parseMounts } from './mounts.ts';

const mounts = parseMounts(`/dev/vda4 / squashfs ro,relatime 0 0
tmpfs /run tmpfs rw 0 0
/dev/vda5 /data ext4 rw,noatime 0 0
hearth-volatile /data tmpfs rw 0 0
/dev/sda1 /mnt/my\\040stick vfat ro 0 0
`);

test('the last mount on a place hides the others', () => {
  expect(mountedOn('/data', mounts)).toEqual({
    source: 'hearth-volatile',
    target: '/data',
    type: 'tmpfs',
    options: ['rw'],
  });
  expect(mountedOn('/tmp', mounts)).toBeUndefined();
  expect(mountedOn('/mnt/my stick', mounts)?.options).toEqual(['ro']);
});

test('ext4 that somebody else is loading is waited for, and loaded once', async () => {
  const calls: string[] = [];
  const exec: Exec = async (program, args) => {
    calls.push([program, ...args].join(' '));
    return { code: 0, signal: undefined, stdout: '', stderr: '', failure: undefined, timedOut: false };
  };
  const looks = ['nodev\tsysfs\n\tsquashfs\n', '\tsquashfs\n', '\tsquashfs\n', '\tsquashfs\n\text4\n'];
  await loadExt4(exec, () => looks.shift() ?? expect.unreachable());
  expect(looks).toEqual([]);
  expect(calls).toEqual(['modprobe -q ext4']);
  await loadExt4(exec, () => '\text4\n');
  expect(calls).toHaveLength(1);
});
