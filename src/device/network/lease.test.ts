import { expect, test } from 'vitest';
import { parseLease } from './lease.ts';

test('a lease, and none', () => {
  expect(parseLease('EVENT=bound\nADDRESS=10.0.2.15/24\nROUTER=10.0.2.2\nDNS=10.0.2.3 1.1.1.1\n')).toEqual({
    event: 'bound',
    address: '10.0.2.15/24',
    router: '10.0.2.2',
    dns: ['10.0.2.3', '1.1.1.1'],
  });
  expect(parseLease('EVENT=deconfig\nADDRESS=\nROUTER=\nDNS=\n')).toEqual({
    event: 'deconfig',
    address: undefined,
    router: undefined,
    dns: [],
  });
  expect(parseLease('')).toBeUndefined();
});
