import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Chunk,
  type ChunkedPayload,
  chunksDigest,
  encodeChunkTable,
  MAX_CHUNK,
  MIN_CHUNK,
  parseChunkTable,
} from './chunk-table.ts';
import { cutChunks, TARGET_CHUNK } from './cut.ts';
import { noise } from './test-firmware.ts';

const KiB = 1024;

describe('cutting', () => {
  test('a payload without seams is cut every 256 KiB', () => {
    expect(cutChunks(600 * KiB)).toEqual([256 * KiB, 256 * KiB, 88 * KiB]);
    expect(cutChunks(2048 * KiB)).toEqual(Array.from({ length: 8 }, () => TARGET_CHUNK));
    expect(cutChunks(1)).toEqual([1]);
  });

  test('small blocks are merged, at their seams', () => {
    const seams = Array.from({ length: 100 }, (_, index) => (index + 1) * 20_011);
    const sizes = cutChunks(2_001_100, seams);
    expect(sizes.every((size) => size % 20_011 === 0 && size < 2 * TARGET_CHUNK + 20_011)).toBe(true);
  });

  test('large blocks are chunks of their own', () => {
    const seams = [200, 1200, 1400].map((at) => at * KiB);
    expect(cutChunks(1900 * KiB, seams)).toEqual([200, 1000, 200, 500].map((size) => size * KiB));
  });

  test('a seam too close to the start of a chunk does not make a tiny one', () => {
    expect(cutChunks(1050 * KiB, [40 * KiB])).toEqual([1024 * KiB, 26 * KiB]);
    expect(cutChunks(1050 * KiB, [100 * KiB])).toEqual([100 * KiB, 950 * KiB]);
  });

  test('a change in the middle leaves nearly all chunks as they were', () => {
    // Compressed blocks of a few kilobytes to 90, as a squashfs of 128 KiB blocks has them.
    const blocks = Array.from(
      { length: 1000 },
      (_, index) => 5_000 + (noise(4, `${index}`).readUInt32LE() % 85_000),
    );
    const chunksOf = (sizes: number[]) => {
      let total = 0;
      const ends = sizes.map((size) => {
        total += size;
        return total;
      });
      return cutChunks(total, ends);
    };
    const before = chunksOf(blocks);
    expect(blocks.reduce((a, b) => a + b, 0) / before.length).toBeGreaterThan(TARGET_CHUNK / 2);
    for (let at = 50; at < 950; at += 50) {
      const after = chunksOf(blocks.toSpliced(at, 1, 33_333, 4_444));
      let same = 0;
      while (before.at(-1 - same) === after.at(-1 - same)) same++;
      let front = 0;
      while (before[front] === after[front]) front++;
      expect(after.length - same - front, `block ${at}`).toBeLessThan(10);
    }
  });

  test('always covers the payload with chunks of allowed sizes, and prefers seams', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 * 1024 * KiB }),
        fc.array(fc.integer({ min: -5, max: 13 * 1024 * KiB }), { maxLength: 80 }),
        (size, boundaries) => {
          const seams = boundaries.toSorted((a, b) => a - b);
          const sizes = cutChunks(size, seams);
          expect(sizes.reduce((a, b) => a + b, 0)).toBe(size);
          expect(sizes.every((each) => each > 0 && each <= MAX_CHUNK)).toBe(true);
          expect(sizes.slice(0, -1).every((each) => each >= MIN_CHUNK)).toBe(true);
        },
      ),
    );
  });
});

function chunksOf(sizes: number[], stored = sizes): Chunk[] {
  let offset = 0;
  let storedOffset = 0;
  return sizes.map((size, index) => {
    const sha256 = hash('sha256', `${index}`, 'buffer');
    const storedSize = stored[index] ?? 0;
    const chunk = { offset, size, storedOffset, storedSize, sha256, storedSha256: sha256 };
    offset += size;
    storedOffset += storedSize;
    return chunk;
  });
}
function payloadOf(chunks: Chunk[], encoding: 'raw' | 'zstd' = 'raw'): ChunkedPayload {
  const sum = (field: 'size' | 'storedSize') => chunks.reduce((total, chunk) => total + chunk[field], 0);
  const stored = { encoding, size: sum('storedSize') };
  return { name: 'p', size: sum('size'), digest: chunksDigest(chunks), chunks: chunks.length, stored };
}

describe('the chunk table', () => {
  test('is read back, row by row and payload by payload', () => {
    const one = chunksOf([MIN_CHUNK, MAX_CHUNK, 1]);
    const two = chunksOf([100_000, 5], [10, 9]);
    const table = encodeChunkTable([one, two]);
    expect(table.toString('latin1', 0, 8)).toBe('HEARTHCT');
    expect(table).toHaveLength(16 + 5 * 72);
    expect(parseChunkTable(table, [payloadOf(one), payloadOf(two, 'zstd')])).toEqual([one, two]);
  });

  const good = chunksOf([MIN_CHUNK, 10]);
  const refuse = (chunks: Chunk[], payload: ChunkedPayload, change: (table: Buffer) => void = () => {}) => {
    const table = encodeChunkTable([chunks]);
    change(table);
    expect(() => parseChunkTable(table, [payload])).toThrow(
      expect.objectContaining({ code: 'fw-chunk-table-invalid' }),
    );
  };

  test.each([0, 8, 12])('wrong magic, version or count (byte %i) is refused', (at) => {
    refuse(good, payloadOf(good), (table) => table.writeUInt8(9, at));
  });
  test('rows missing or left over are refused', () => {
    refuse(good.slice(1), payloadOf(good));
    refuse([...good, ...good], payloadOf(good));
  });
  test.each([
    ['an empty chunk', chunksOf([MIN_CHUNK, 0])],
    ['a chunk too small, not the last', chunksOf([MIN_CHUNK - 1, 10])],
    ['a chunk too large', chunksOf([MAX_CHUNK + 1])],
    ['raw, stored in another size', chunksOf([MIN_CHUNK, 10], [MIN_CHUNK, 9])],
  ])('%s is refused', (_, chunks) => {
    refuse(chunks, payloadOf(chunks));
  });
  test('zstd that cannot be, and sums that do not fit, are refused', () => {
    refuse(chunksOf([10], [100]), payloadOf(chunksOf([10], [100]), 'zstd'));
    refuse(chunksOf([10], [0]), payloadOf(chunksOf([10], [0]), 'zstd'));
    refuse(good, { ...payloadOf(good), size: 1 });
    refuse(good, { ...payloadOf(good), stored: { encoding: 'raw', size: 1 } });
    refuse(good, { ...payloadOf(good), digest: '00'.repeat(32) });
  });
  test('raw, with a different stored hash, is refused', () => {
    refuse(good, payloadOf(good), (table) => table.writeUInt8(1, 16 + 8 + 32));
  });
});
