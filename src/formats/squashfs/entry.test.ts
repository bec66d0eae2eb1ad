import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DATA_RAW } from './constants.ts';
import { blockLengths, decodeEntry, encodeEntry } from './entry.ts';

describe('blockLengths', () => {
  it.each([
    [0, []],
    [1, [1]],
    [9, [9]],
    [10, [10]],
    [11, [10, 1]],
    [30, [10, 10, 10]],
  ])('cuts %i bytes', (size, lengths) => {
    expect(blockLengths(size, 10)).toEqual(lengths);
  });
});

describe('a cache entry', () => {
  const lengths = [10, 10, 10, 4];
  const sizes = [3, 0, 10 | DATA_RAW, 2];
  const blocks = [Buffer.from('abc'), Buffer.from('0123456789'), Buffer.from('yz')];
  const entry = encodeEntry('key', sizes, blocks);

  it('gives back what went in', () => {
    expect(decodeEntry('key', entry, lengths)).toEqual({ sizes, bytes: Buffer.from('abc0123456789yz') });
  });

  it('holds for its own key and block lengths only', () => {
    expect(decodeEntry('kez', entry, lengths)).toBeUndefined();
    expect(decodeEntry('key', entry, [10, 10, 10])).toBeUndefined();
    expect(decodeEntry('key', entry, [10, 10, 9, 4])).toBeUndefined();
  });

  it.each([
    ['a block as large as its content but not raw', [10, 0, 10 | DATA_RAW, 2], '0123456789'],
    ['a raw block that is shorter than its content', [3, 0, 9 | DATA_RAW, 2], '012345678'],
    ['sizes that do not add up', [4, 0, 10 | DATA_RAW, 2], '0123456789'],
  ])('is not believed with %s, checksum or not', (_, wrong, middle) => {
    const bytes = [Buffer.from('abc'), Buffer.from(middle), Buffer.from('yz')];
    expect(decodeEntry('key', encodeEntry('key', wrong, bytes), lengths)).toBeUndefined();
  });

  it('is not believed when cut at any byte, or longer', () => {
    for (let length = 0; length < entry.length; length++)
      expect(decodeEntry('key', entry.subarray(0, length), lengths)).toBeUndefined();
    expect(decodeEntry('key', Buffer.concat([entry, Buffer.of(0)]), lengths)).toBeUndefined();
  });

  it('is not believed with any byte changed', () => {
    fc.assert(
      fc.property(fc.nat(entry.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(entry);
        changed[at] = (changed[at] ?? 0) ^ flip;
        expect(decodeEntry('key', changed, lengths)).toBeUndefined();
      }),
    );
  });

  it('is not believed when it is something else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        expect(decodeEntry('key', bytes, lengths)).toBeUndefined();
      }),
    );
  });
});
