import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../errors.ts';
import { viewOf } from './bytes.ts';
import { decodeEnv, encodeEnv, nextEnv, pickEnv } from './ubootenv.ts';

const SIZE = 1024;
const env = (values: Record<string, string>, flags = 1) =>
  encodeEnv({ values: new Map(Object.entries(values)), flags }, SIZE);
const torn = (bytes: Uint8Array) => {
  const copy = bytes.slice();
  copy[7] = ~(copy[7] ?? 0);
  return copy;
};

const key = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/^[# \t]|[=\0]/.test(text));
const value = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((text) => !text.includes('\0'));

describe('one copy', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(fc.dictionary(key, value, { maxKeys: 10 }), fc.nat(255), (values, flags) => {
        const decoded = decodeEnv(env(values, flags));
        expect(decoded).toEqual({ values: new Map(Object.entries(values)), flags });
      }),
    );
  });

  test('does not depend on the order of the variables', () => {
    expect(env({ a: '1', b: '2' })).toEqual(env({ b: '2', a: '1' }));
  });

  test('can be filled to the last byte, and says by how much it does not fit', () => {
    const room = SIZE - 5 - 'k='.length - 2;
    expect(decodeEnv(env({ k: 'x'.repeat(room) })).values.get('k')?.length).toBe(room);
    expect(() => env({ k: 'x'.repeat(room + 3) })).toThrow(/3 bytes too much/);
  });

  test.each([
    ['a name with =', { 'a=b': 'c' }, /bad name/],
    ['an empty name', { '': 'c' }, /bad name/],
    ['a comment', { '#a': 'c' }, /bad name/],
    ['an empty value', { a: '' }, /empty value/],
    ['a NUL', { a: 'b\0c=d' }, /NUL in a value/],
  ])('refuses %s', (_, values, message) => {
    expect(() => env(values)).toThrow(message);
  });

  test('one changed bit of the data is noticed', () => {
    const bytes = env({ slot: 'a', tries: '3' });
    for (let at = 5; at < 40; at++) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      expect(() => decodeEnv(damaged)).toThrow(/checksum/);
    }
  });

  test('data with a right checksum may still be anything: a FormatError or variables', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        if (bytes.length >= 5) viewOf(bytes).setUint32(0, crc32(bytes.subarray(5)), true);
        try {
          for (const [name, text] of decodeEnv(bytes).values) expect(name !== '' && text !== '').toBe(true);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('two copies', () => {
  test.each([
    [1, 2, 1],
    [2, 1, 0],
    [7, 7, 0],
    [255, 0, 1],
    [0, 255, 0],
    [254, 255, 1],
    [0, 254, 1],
  ])('counters %i and %i: copy %i counts, as in U-Boot', (first, second, copy) => {
    expect(pickEnv(env({ a: '1' }, first), env({ a: '2' }, second))).toMatchObject({
      copy,
      problem: undefined,
    });
  });

  test('P6: a torn copy leaves the other, whichever is newer', () => {
    const [old, recent] = [env({ slot: 'a' }, 4), env({ slot: 'b' }, 5)];
    expect(pickEnv(old, torn(recent))).toMatchObject({
      copy: 0,
      flags: 4,
      problem: expect.stringMatching(/checksum/),
    });
    expect(pickEnv(torn(old), recent)).toMatchObject({
      copy: 1,
      flags: 5,
      problem: expect.stringMatching(/checksum/),
    });
    expect(() => pickEnv(torn(old), torn(recent))).toThrow(/both copies are bad/);
  });

  test('writing goes to the copy that does not count, and that one counts then, 600 times over', () => {
    const copies: [Uint8Array, Uint8Array] = [env({ n: 'start' }, 0), new Uint8Array(SIZE)];
    for (let n = 0; n < 600; n++) {
      const before = pickEnv(...copies);
      const { copy, bytes } = nextEnv(before, new Map([['n', `${n}`]]), SIZE);
      expect(copy).not.toBe(before.copy);
      copies[copy] = bytes;
      expect(pickEnv(...copies)).toMatchObject({ copy, values: new Map([['n', `${n}`]]) });
    }
  });
});
