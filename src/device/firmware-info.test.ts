import { expect, test } from 'vitest';
import { DEFAULT_DATA, type FirmwareInfo, parseFirmwareInfo } from './firmware-info.ts';

const APP: FirmwareInfo['app'] = {
  beatTimeoutMs: 10_000,
  maxRestarts: 5,
  restartWindowMs: 120_000,
  stopTimeoutMs: 5_000,
  onUnhealthy: 'stay',
  env: {},
};

const info: FirmwareInfo = {
  product: 'hello',
  version: '1.0.0',
  target: 'x86_64',
  uuid: 'u',
  console: 'log',
  dev: false,
  exampleKey: false,
  app: APP,
  network: { hostname: 'hello', dhcp: true },
  sshKeys: [],
  updateKeys: [],
  update: { healthySeconds: 30, trialSeconds: 300, validate: 'auto' },
  data: DEFAULT_DATA,
  kernelVersion: '6.12',
};

test('what fw build writes', () => {
  expect(parseFirmwareInfo(JSON.stringify(info))).toEqual(info);
});

test.each<[string, (broken: Record<string, unknown>) => void]>([
  ['version', (broken) => delete broken.version],
  ['console', (broken) => Object.assign(broken, { console: 'loud' })],
  ['app', (broken) => delete broken.app],
  ['app.maxRestarts', (broken) => Object.assign(broken, { app: { ...APP, maxRestarts: '5' } })],
  ['app.onUnhealthy', (broken) => Object.assign(broken, { app: { ...APP, onUnhealthy: 'explode' } })],
  ['network.hostname', (broken) => Object.assign(broken, { network: { dhcp: true } })],
  ['sshKeys', (broken) => delete broken.sshKeys],
  ['updateKeys', (broken) => Object.assign(broken, { updateKeys: [1] })],
  ['update.validate', (broken) => Object.assign(broken, { update: { ...info.update, validate: 'no' } })],
  ['data.commitSeconds', (broken) => Object.assign(broken, { data: {} })],
])('a bad %s is named', (field, breakIt) => {
  const broken = structuredClone(info) as unknown as Record<string, unknown>;
  breakIt(broken);
  expect(() => parseFirmwareInfo(JSON.stringify(broken))).toThrow(expect.objectContaining({ where: field }));
});

test('no JSON at all', () => {
  expect(() => parseFirmwareInfo('')).toThrow(expect.objectContaining({ code: 'bad-firmware-info' }));
});
