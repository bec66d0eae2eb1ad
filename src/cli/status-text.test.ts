import { expect, test } from 'vitest';
import type { DeviceStatus } from '../device/api/status.ts';
import { statusText } from './status-text.ts';

const slot = { product: 'hello', target: 'rpi3', uuid: 'u' };
const status: DeviceStatus = {
  ...{ product: 'hello', version: '1.1.0', uuid: '1234', target: 'rpi3', slot: 'b', state: 'idle' },
  update: { healthySeconds: 30, trialSeconds: 300, validate: 'auto' },
  slots: {
    a: { ...slot, version: '1.0.0', validated: true },
    b: { ...slot, version: '1.1.0', validated: true },
  },
  last: { result: 'validated', version: '1.1.0', uuid: '1234', reason: 'healthy for 30 s' },
  app: { name: 'healthy', pid: 7 },
  data: 'persistent',
  network: {
    eth0: { event: 'bound', address: '10.0.2.15/24', dns: [] },
    eth1: { event: 'leasefail', dns: [] },
  },
  uptimeSeconds: 3700,
  resetCause: 'power-on',
};

test('a device as people read it', () => {
  expect(statusText(status)).toMatchInlineSnapshot(`
    "hello 1.1.0 for rpi3, in slot b
      uuid    1234
      update  none; the firmware that runs is permanent
      last    1.1.0 was made permanent: healthy for 30 s
      slot a  1.0.0
      app     healthy
      data    persistent
      eth0    10.0.2.15/24
      eth1    leasefail
      up      for 1 h 1 min; started by: power-on"
  `);
});

test('a trial says what it still lacks', () => {
  const trial = { secondsLeft: 200, healthy: true, reachable: false };
  expect(statusText({ ...status, state: 'trial', trial })).toContain(
    'on trial: not yet reached; 3 min 20 s left',
  );
});

test('what a device says of itself cannot move the cursor', () => {
  const text = statusText({ ...status, app: { name: 'failed', reason: '\x1b[2Jgone' } });
  expect(text).not.toContain('\x1b');
});
