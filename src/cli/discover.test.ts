import { expect, test } from 'vitest';
import { discoveredText } from './discover.ts';

const DEVICE = {
  ...{ name: 'hello-1234.local', addresses: ['10.0.0.5', 'fe80::5%eth0'], port: 22, product: 'hello' },
  ...{ version: '1.0.0', uuid: 'u-1', target: 'rpi4', serial: '10000000abcd1234' },
};

test('one line a device, and what to check where there is none', () => {
  expect(discoveredText([DEVICE, { ...DEVICE, name: 'b.local', addresses: [] }])).toBe(
    `NAME              ADDRESS   PRODUCT  VERSION  TARGET  SERIAL
hello-1234.local  10.0.0.5  hello    1.0.0    rpi4    10000000abcd1234
b.local           -         hello    1.0.0    rpi4    10000000abcd1234`,
  );
  expect(discoveredText([])).toMatch(/switched on.*same\nnetwork.*5353.*firewall/s);
});

test('a stranger’s texts move nobody’s cursor', () => {
  const text = discoveredText([{ ...DEVICE, product: 'x\u001b[2J\nroot' }]);
  expect(text.split('\n')).toHaveLength(2);
  expect(text).not.toContain('\u001b');
});
