import { expect, test } from 'vitest';
import { deviceFromEnv } from './device.ts';

test('on a laptop', () => {
  expect(deviceFromEnv({}, '/home/me')).toMatchObject({
    onDevice: false,
    target: 'laptop',
    dataDir: '/home/me',
    dataState: 'persistent',
  });
});

test('on a device', () => {
  const env = {
    HEARTH_TARGET: 'rpi3',
    HEARTH_SLOT: 'b',
    HEARTH_UUID: 'u',
    HEARTH_PRODUCT: 'todo',
    HEARTH_VERSION: '1.2.3',
    HEARTH_DATA: '/data/app',
    HEARTH_DATA_STATE: 'volatile',
  };
  expect(deviceFromEnv(env, '/')).toEqual({
    onDevice: true,
    target: 'rpi3',
    slot: 'b',
    uuid: 'u',
    product: 'todo',
    version: '1.2.3',
    dataDir: '/data/app',
    dataState: 'volatile',
  });
});

test('in a release for servers: it says where it runs, and is no device', () => {
  const env = { HEARTH_TARGET: 'linux_x64', HEARTH_SLOT: 'server', HEARTH_DATA: '/srv/shop/var/data' };
  expect(deviceFromEnv(env, '/')).toMatchObject({ onDevice: false, target: 'linux_x64', slot: 'server' });
});
