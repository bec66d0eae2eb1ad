import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../errors.ts';
import { peChecksum, readPe } from './pe.ts';

/** The definition in words: 16 bits at a time, every carry added back at once. */
function slowChecksum(bytes: Uint8Array, field: number): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    if (i >= field && i < field + 4) continue;
    sum += (bytes[i] ?? 0) + (bytes[i + 1] ?? 0) * 256;
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum + bytes.length;
}

describe('peChecksum', () => {
  test('is the sum of words with end-around carry, plus the length', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 200, maxLength: 900 }),
        fc.integer({ min: 0, max: 16 }),
        (bytes, i) => {
          const optional = i * 4;
          expect(peChecksum(bytes, { optional })).toBe(slowChecksum(bytes, optional + 64));
        },
      ),
    );
  });

  test('stays exact in a file of 32 MiB', () => {
    const bytes = new Uint8Array(2 ** 25).fill(0xff);
    bytes[12345] = 0x12;
    expect(peChecksum(bytes, { optional: 64 })).toBe(slowChecksum(bytes, 128));
  });
});

test('what is no PE image is refused', () => {
  const mz = new Uint8Array(512);
  mz.set([0x4d, 0x5a]);
  for (const bytes of [new Uint8Array(), new Uint8Array(64), mz])
    expect(() => readPe(bytes)).toThrow(FormatError);
  mz[0x3c] = 0xfe; // an odd place for the signature
  expect(() => readPe(mz)).toThrow('not a 64-bit UEFI program');
});
