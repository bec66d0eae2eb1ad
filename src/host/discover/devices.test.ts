import { expect, test } from 'vitest';
import { claimsOf } from '../../device/mdns/claims.ts';
import { TYPE } from '../../formats/dns.ts';
import { Heard } from './devices.ts';

const { own } = claimsOf({
  ...{ hostname: 'hello', serial: '10000000abcd1234', product: 'hello', version: '1.0.0' },
  ...{ uuid: 'u-1', target: 'rpi4', ssh: true },
});
const SAID = [...own.unique(['fe80::5', '10.0.0.5']), ...own.shared([])];

test('a device is what its records say together, in whatever order they come, once', () => {
  const heard = new Heard();
  for (const each of [...SAID].reverse()) for (const link of ['eth0', 'wlan0']) heard.add(each, link);
  expect(heard.devices()).toEqual([
    {
      ...{ name: 'hello-1234.local', addresses: ['10.0.0.5', 'fe80::5%eth0', 'fe80::5%wlan0'], port: 22 },
      ...{ product: 'hello', version: '1.0.0', uuid: 'u-1', target: 'rpi4', serial: '10000000abcd1234' },
    },
  ]);
  expect(heard.open()).toHaveLength(1);
});

test('what is missing of one is asked for; one that has gone is not shown', () => {
  const heard = new Heard();
  for (const each of own.shared([])) heard.add(each, 'eth0');
  expect(heard.open().map(({ type }) => type)).toEqual([TYPE.PTR, TYPE.SRV, TYPE.TXT]);
  for (const each of own.unique([])) heard.add(each, 'eth0');
  expect(heard.open().map(({ type }) => type)).toEqual([TYPE.PTR, TYPE.A, TYPE.AAAA]);
  for (const each of own.shared([])) heard.add({ ...each, ttlSeconds: 0 }, 'eth0');
  expect(heard.devices()).toEqual([]);
});
