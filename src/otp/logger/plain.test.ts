import fc from 'fast-check';
import { expect, test } from 'vitest';
import { plain } from './plain.ts';

test('what JSON cannot say becomes readable text', () => {
  expect(plain({ big: 12n, fn: () => 1, nan: Number.NaN, none: undefined, sym: Symbol('s') })).toEqual({
    big: '12n',
    fn: '[function]',
    nan: 'NaN',
    none: 'undefined',
    sym: 'Symbol(s)',
  });
  expect(plain(new Map([['a', new Set([1, 2])]]))).toEqual({ a: [1, 2] });
  expect(plain(new Uint8Array(9))).toBe('[Uint8Array of 9 bytes]');
  expect(plain(new Date(Number.NaN))).toBe('Invalid Date');
});

test('a cycle ends, and the same object twice is not a cycle', () => {
  const child = { x: 1 };
  const parent: Record<string, unknown> = { a: child, b: child };
  parent.self = parent;
  expect(plain(parent)).toEqual({ a: { x: 1 }, b: { x: 1 }, self: '[cycle]' });
});

test('getters and proxies that throw are named, not passed on', () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  const hostile = {
    get bad() {
      throw new Error('no');
    },
    proxy,
  };
  expect(plain(hostile)).toEqual({ bad: '[threw: no]', proxy: expect.stringContaining('[unreadable:') });
  const unspeakable = {
    toString() {
      throw new Error('never');
    },
  };
  const thrower = {
    get bad() {
      throw unspeakable;
    },
  };
  expect(plain(thrower)).toEqual({ bad: '[threw: something that cannot be shown]' });
});

test('an error keeps its stack and its cause', () => {
  const error = new Error('outer', { cause: new Error('inner') });
  const shown = plain(error) as { error: string; cause: string };
  expect(shown.error).toContain('Error: outer\n    at ');
  expect(shown.cause).toContain('Error: inner');
});

test('enormous and endless structures stay small', () => {
  expect(JSON.stringify(plain(Array.from({ length: 1e6 }, () => 1))).length).toBeLessThan(20_000);
  expect(JSON.stringify(plain('x'.repeat(1e7))).length).toBeLessThan(3_000);
  const endless = new Proxy(
    {},
    {
      get: (target) => target,
      ownKeys: () => Array.from({ length: 50_000 }, (_, i) => `k${i}`),
      getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
    },
  );
  expect(JSON.stringify(plain(endless)).length).toBeLessThan(50_000);
});

test('a key named __proto__ is a key', () => {
  const shown = plain(JSON.parse('{"__proto__": 1, "constructor": 2}'));
  expect(JSON.stringify(shown)).toBe('{"__proto__":1,"constructor":2}');
});

test('anything at all becomes JSON', () => {
  fc.assert(
    fc.property(
      fc.anything({
        withBigInt: true,
        withMap: true,
        withSet: true,
        withNullPrototype: true,
        withTypedArray: true,
        withDate: true,
        withSparseArray: true,
      }),
      (value) => {
        expect(typeof JSON.stringify(plain(value))).toBe('string');
      },
    ),
  );
});
