import { expect, test } from 'vitest';
import { mountedOn, parseMounts } from './mounts.ts';

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
