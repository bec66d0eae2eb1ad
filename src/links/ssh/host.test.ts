import { expect, test } from 'vitest';
import { parseHost } from './host.ts';

test.each([
  ['sensor', 'sensor', undefined, undefined],
  ['hello.local:2222', 'hello.local', undefined, 2222],
  ['root@192.168.1.7', '192.168.1.7', 'root', undefined],
  ['me@gateway:22', 'gateway', 'me', 22],
  ['fe80::1%eth0', 'fe80::1%eth0', undefined, undefined],
  ['root@[fe80::1%eth0]:2222', 'fe80::1%eth0', 'root', 2222],
  ['::1', '::1', undefined, undefined],
])('%s', (text, host, user, port) => {
  expect(parseHost(text)).toEqual({ host, user, port });
});

test.each([
  '',
  '-oProxyCommand=reboot',
  '-l@host',
  'a@-host',
  'a b',
  'host:',
  'host:0',
  'host:65536',
  'a@b@c',
  '[::1',
])('refused: %s', (text) => {
  expect(() => parseHost(text)).toThrowError(expect.objectContaining({ code: 'bad-host' }));
});
