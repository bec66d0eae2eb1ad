import { expect, test } from 'vitest';
import { DEFAULT_DATA, type FirmwareInfo } from '../firmware-info.ts';
import { appEnvironment } from './command.ts';

const info: FirmwareInfo = {
  product: 'p',
  version: '1.0.0',
  target: 'x86_64',
  uuid: 'u',
  console: 'log',
  dev: false,
  exampleKey: false,
  app: {
    beatTimeoutMs: 1_000,
    maxRestarts: 5,
    restartWindowMs: 60_000,
    stopTimeoutMs: 5_000,
    onUnhealthy: 'stay',
    env: { NODE_ENV: 'staging', PORT: '80', FW_ENV: 'test', HEARTH_SLOT: 'z' },
  },
  network: { hostname: 'p', dhcp: true },
  data: DEFAULT_DATA,
  kernelVersion: '6.1.0',
};
const boot = { target: 'x86_64', slot: 'a', uuid: 'u' } as const;

test('FW_ENV is what the firmware was built for; app.env adds, and replaces what is not ours', () => {
  expect(appEnvironment(info, boot)).toMatchObject({
    FW_ENV: 'prod',
    HEARTH_SLOT: 'a',
    NODE_ENV: 'staging',
    PORT: '80',
  });
  expect(appEnvironment({ ...info, dev: true }, boot).FW_ENV).toBe('dev');
});
