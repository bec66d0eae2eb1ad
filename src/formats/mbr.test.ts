import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../errors.ts';
import { type Piece, type ReadAt, sparseReader, viewOf } from './bytes.ts';
import { EBR_GAP, growMbr, MBR_TYPES, type MbrTable, readMbr, writeMbr } from './mbr.ts';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const { fat16Lba, fat32Lba, linux } = MBR_TYPES;
const table: MbrTable = {
  diskSize: 512 * MiB,
  signature: 0x48545248,
  primaries: [
    { type: fat16Lba, firstByte: 16 * MiB, size: 16 * MiB },
    { type: fat32Lba, firstByte: 32 * MiB, size: 32 * MiB },
    { type: fat32Lba, firstByte: 64 * MiB, size: 32 * MiB },
  ],
  logicals: [
    { type: linux, firstByte: 100 * MiB, size: 100 * MiB },
    { type: linux, firstByte: 204 * MiB, size: 100 * MiB },
    { type: linux, firstByte: 308 * MiB, size: 64 * MiB },
  ],
};

const readerFor = (pieces: Piece[], size: number): ReadAt => sparseReader({ size, pieces });
const read = (pieces: Piece[], size = table.diskSize) => readMbr(readerFor(pieces, size), size);
/** Copies to damage. */
const written = () => writeMbr(table).map(({ offset, bytes }) => ({ offset, bytes: bytes.slice() }));

describe('readMbr', () => {
  test('reads what was written', () => {
    expect(read(written())).toEqual({
      ...table,
      numbers: [1, 2, 3],
      extended: { type: 0x0f, firstByte: 96 * MiB, size: 276 * MiB },
      ebrs: [96 * MiB, 200 * MiB, 304 * MiB],
    });
    const plain = { ...table, primaries: table.primaries.slice(0, 1), logicals: [] };
    expect(read(writeMbr(plain))).toEqual({ ...plain, numbers: [1], extended: undefined, ebrs: [] });
  });

  const link = (pieces: Piece[], index: number, sector: number) => {
    const piece = pieces[index];
    if (piece) viewOf(piece.bytes).setUint32(446 + 16 + 8, sector, true);
  };
  test.each([
    ['to itself', 0],
    ['back', 1],
    ['out of the extended partition', 0x7fff_ffff],
  ])('refuses a chain of EBRs that leads %s', (_, sector) => {
    const pieces = written();
    link(pieces, 2, sector);
    expect(() => read(pieces)).toThrow(/link leads to byte/);
  });

  test('refuses no table, the protective table of a GPT, and a disk that is too small', () => {
    expect(() => read([])).toThrow(/no boot signature/);
    const gpt = written();
    viewOf(gpt[0]?.bytes ?? new Uint8Array(0)).setUint8(446 + 4, 0xee);
    expect(() => read(gpt)).toThrow(/protects a GPT/);
    expect(() => read(written(), 371 * MiB)).toThrow(/ends 1048576 bytes beyond the disk \(p7\)/);
    expect(() => read(written(), 100)).toThrow(/too early/);
  });

  test('refuses an endless chain of EBRs that goes forward', () => {
    // Each EBR holds nothing but a link to the next sector.
    const [mbr] = written();
    const ebr = (index: number): Piece => {
      const bytes = new Uint8Array(512);
      const view = viewOf(bytes);
      bytes[446 + 4] = MBR_TYPES.extendedChs;
      view.setUint32(446 + 8, index + 1, true);
      view.setUint32(446 + 12, 1, true);
      view.setUint16(510, 0xaa55, true);
      return { offset: 96 * MiB + index * 512, bytes };
    };
    const chain = Array.from({ length: 1000 }, (_, index) => ebr(index));
    expect(() => read([...(mbr ? [mbr] : []), ...chain])).toThrow(/more than 60 EBRs/);
  });

  test('damage anywhere gives a FormatError or a table, after at most 64 sectors', () => {
    const places = fc.record({
      piece: fc.nat(3),
      at: fc.oneof(fc.integer({ min: 440, max: 511 }), fc.integer({ min: 446, max: 478 })),
      value: fc.integer({ min: 0, max: 255 }),
    });
    fc.assert(
      fc.property(fc.array(places, { minLength: 1, maxLength: 10 }), (changes) => {
        const pieces = written();
        for (const { piece, at, value } of changes) {
          const bytes = pieces[piece]?.bytes;
          if (bytes) bytes[at] = value;
        }
        let reads = 0;
        const inner = readerFor(pieces, table.diskSize);
        try {
          readMbr((offset, length) => {
            reads += 1;
            return inner(offset, length);
          }, table.diskSize);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
        expect(reads).toBeLessThan(64);
      }),
      { numRuns: 500 },
    );
  });
});

describe('writeMbr', () => {
  test('every EBR is alone in a stretch of 4 MiB before its partition', () => {
    expect(written().map(({ offset }) => offset)).toEqual([
      0,
      ...table.logicals.map(({ firstByte }) => firstByte - EBR_GAP),
    ]);
  });

  test.each([
    [
      'an overlap',
      { primaries: [{ type: linux, firstByte: MiB, size: 96 * MiB }] },
      /starts 1048576 bytes too early \(p5\)/,
    ],
    [
      'no room for an EBR',
      { logicals: [{ type: linux, firstByte: 99 * MiB, size: MiB }] },
      /1048576 bytes too early/,
    ],
    ['an end beyond the disk', { diskSize: 371 * MiB }, /ends 1048576 bytes beyond the disk \(p7\)/],
    [
      'a start in the table',
      { primaries: [{ type: linux, firstByte: 0, size: MiB }] },
      /512 bytes too early \(p1\)/,
    ],
    ['half a sector', { primaries: [{ type: linux, firstByte: MiB, size: 100 }] }, /multiples|100 bytes/],
    ['an extended type', { primaries: [{ type: 5, firstByte: MiB, size: MiB }] }, /type 5/],
    ['four primaries and logicals', { primaries: Array(4).fill(table.primaries[0]) }, /4 primary partitions/],
  ])('refuses %s', (_, change, message) => {
    expect(() => writeMbr({ ...table, ...change })).toThrow(message);
  });
});

describe('growMbr', () => {
  test('gives p7 the rest of the disk by rewriting its own EBR, one sector', () => {
    const size = 2 * GiB;
    const pieces = written();
    const mbr = read(pieces, size);
    const [step, ...more] = growMbr(mbr, size);
    expect(more).toEqual([]);
    expect(step).toMatchObject({ offset: 304 * MiB, why: expect.stringMatching(/p7/) });
    expect(step?.bytes.length).toBe(512);
    const after = read([...pieces.slice(0, 3), ...(step ? [step] : [])], size);
    expect(after).toEqual({
      ...mbr,
      logicals: [
        ...table.logicals.slice(0, 2),
        { type: linux, firstByte: 308 * MiB, size: size - 308 * MiB },
      ],
    });
    expect(growMbr(after, size)).toEqual([]);
  });

  test('ends at 2 TiB, where sector numbers do, on a border of 1 MiB', () => {
    const size = 4096 * GiB;
    const [step] = growMbr(read(written(), size), size);
    const after = read([...written().slice(0, 3), ...(step ? [step] : [])], size);
    const last = after.logicals[2];
    expect((last?.firstByte ?? 0) + (last?.size ?? 0)).toBe(2048 * GiB - MiB);
  });

  test('does nothing on a disk of the same size, and refuses what cannot grow', () => {
    const full = { ...table, diskSize: 372 * MiB };
    expect(growMbr(read(writeMbr(full), full.diskSize), full.diskSize)).toEqual([]);
    const plain = { ...table, logicals: [] };
    expect(() => growMbr(read(writeMbr(plain)), GiB)).toThrow(/no logical partition/);
    const behind = { ...read(written()), primaries: [{ type: linux, firstByte: 400 * MiB, size: MiB }] };
    expect(() => growMbr(behind, GiB)).toThrow(/another partition/);
  });
});
