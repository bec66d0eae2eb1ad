import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../errors.ts';
import { type Piece, readerOf } from './bytes.ts';
import { GPT_TYPES, type Gpt, growGpt, readGpt, writeGpt } from './gpt.ts';
import { guidFromBytes, guidToBytes } from './guid.ts';

const MiB = 1024 * 1024;
const guid = (n: number) => `11111111-2222-4333-8444-${n.toString(16).toUpperCase().padStart(12, '0')}`;
const table: Gpt = {
  diskSize: 8 * MiB,
  diskGuid: guid(0),
  partitions: [
    {
      ...{ type: GPT_TYPES.hearthState, guid: guid(1), name: 'hearth-state' },
      ...{ firstByte: MiB, size: MiB, attributes: 1n << 63n },
    },
    { type: GPT_TYPES.esp, guid: guid(2), name: 'hearth-esp', firstByte: 2 * MiB, size: MiB, attributes: 0n },
    {
      type: GPT_TYPES.linux,
      guid: guid(3),
      name: 'hearth-data',
      firstByte: 4 * MiB,
      size: 2 * MiB,
      attributes: 0n,
    },
  ],
};

function apply(disk: Uint8Array, pieces: readonly Piece[]): Uint8Array {
  for (const { offset, bytes } of pieces) disk.set(bytes, offset);
  return disk;
}
const diskOf = (gpt: Gpt, size = gpt.diskSize) => apply(new Uint8Array(size), writeGpt(gpt));
const read = (disk: Uint8Array) => readGpt(readerOf(disk), disk.length);

describe('readGpt', () => {
  test('reads what was written', () => {
    expect(read(diskOf(table))).toEqual({
      ...table,
      numbers: [1, 2, 3],
      from: 'primary',
      problem: undefined,
      backupByte: 8 * MiB - 512,
    });
  });

  test.each([
    ['header', 512 + 60],
    ['entries', 1024 + 130],
  ])('takes the backup when the primary %s is damaged, and says why', (_, at) => {
    const disk = diskOf(table);
    disk[at] = ~(disk[at] ?? 0);
    expect(read(disk)).toMatchObject({
      ...table,
      from: 'backup',
      problem: expect.stringMatching(/checksum/),
    });
  });

  test('says that the backup is bad', () => {
    const disk = diskOf(table);
    disk.fill(0, 8 * MiB - 512);
    expect(read(disk)).toMatchObject({ from: 'primary', problem: expect.stringMatching(/no signature/) });
  });

  test('refuses a disk without a table, and one that lost its end, with both reasons', () => {
    expect(() => read(new Uint8Array(MiB))).toThrow(/primary: .*no signature.*backup: .*no signature/);
    expect(() => read(diskOf(table).slice(0, 7 * MiB))).toThrow(/at least \d+ bytes smaller/);
    const never = () => {
      throw new Error('read before the start of the disk');
    };
    const onlyInside = (offset: number) => (offset < 0 ? never() : new Uint8Array(0));
    expect(() => readGpt(onlyInside, 0)).toThrow(FormatError);
  });

  test('damage anywhere gives a FormatError or a table', () => {
    const clean = diskOf(table);
    const places = [...clean.keys()].filter((at) => clean[at] !== 0 || (at >= 512 && at < 2048));
    const change = fc.record({ at: fc.constantFrom(...places), value: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 20 }), (changes) => {
        const saved = changes.map(({ at }) => clean[at] ?? 0);
        for (const { at, value } of changes) clean[at] = value;
        try {
          read(clean);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        } finally {
          // Backwards: the same place may have been changed twice.
          for (let index = changes.length - 1; index >= 0; index--)
            clean[changes[index]?.at ?? 0] = saved[index] ?? 0;
        }
      }),
      { numRuns: 300 },
    );
    expect(read(clean)).toMatchObject(table);
  });
});

describe('writeGpt', () => {
  test('the primary is one piece from sector 0, the backup one piece to the end', () => {
    const pieces = writeGpt(table);
    expect(pieces.map(({ offset, bytes }) => [offset, bytes.length])).toEqual([
      [0, 34 * 512],
      [8 * MiB - 33 * 512, 33 * 512],
    ]);
  });

  test('the protective MBR claims the largest disk there is, so that growing need not write it', () => {
    const entry = diskOf(table).subarray(446, 462);
    expect(Buffer.from(entry).toString('hex')).toBe('00000200eeffffff01000000ffffffff');
  });

  const withPartition = (change: object) => ({
    ...table,
    partitions: table.partitions.map((partition, index) =>
      index === 1 ? { ...partition, ...change } : partition,
    ),
  });
  test.each([
    ['an overlap', { size: 2.5 * MiB }, /overlaps 'hearth-data' by 524288 bytes \(hearth-esp\)/],
    ['an end beyond the disk', { firstByte: 7 * MiB }, /ends 16896 bytes beyond/],
    ['a start in the table', { firstByte: 33 * 512, size: 512 }, /inside the table/],
    ['half a sector', { size: 100 }, /with 100 bytes/],
    ['an empty partition', { size: 0 }, /with 0 bytes/],
    ['a GUID used twice', { guid: guid(1).toLowerCase() }, /used twice/],
    ['a bad GUID', { guid: 'hello' }, /'hello' is not a GUID/],
    ['a long name', { name: 'x'.repeat(37) }, /name cannot be written/],
  ])('refuses %s', (_, change, message) => {
    expect(() => writeGpt(withPartition(change))).toThrow(message);
  });
});

describe('growGpt', () => {
  const size = 16 * MiB;
  /** The image copied to a larger disk. */
  const copied = () => diskOf(table, size);
  const steps = () => growGpt(read(copied()), size, 'hearth-data');

  test('gives the last partition the room up to a border of 1 MiB', () => {
    const disk = apply(copied(), steps());
    const grown = read(disk);
    expect(grown).toMatchObject({ from: 'primary', problem: undefined, backupByte: size - 512 });
    expect(grown.partitions[2]).toEqual({ ...table.partitions[2], size: 11 * MiB });
    expect(growGpt(grown, size, 'hearth-data')).toEqual([]);
  });

  test('the backup goes to the new end first; the MBR is not written', () => {
    expect(steps().map(({ offset, bytes }) => [offset, bytes.length])).toEqual([
      [size - 33 * 512, 33 * 512],
      [512, 33 * 512],
    ]);
  });

  test('a cut at any sector of any step leaves the old or the new table, and growing again ends right', () => {
    for (const [index, step] of steps().entries()) {
      for (let written = 0; written <= step.bytes.length; written += 512) {
        const disk = apply(copied(), steps().slice(0, index));
        apply(disk, [{ offset: step.offset, bytes: step.bytes.subarray(0, written) }]);
        // A torn sector: what was being written when the power went is neither old nor new.
        if (written < step.bytes.length) disk.fill(0xa5, step.offset + written, step.offset + written + 512);
        const after = read(disk);
        expect([2 * MiB, 11 * MiB]).toContain(after.partitions[2]?.size);
        apply(disk, growGpt(after, size, 'hearth-data'));
        expect(read(disk)).toMatchObject({ from: 'primary', problem: undefined });
        expect(read(disk).partitions[2]?.size).toBe(11 * MiB);
      }
    }
  });

  test('repairs the primary before it touches the only good copy', () => {
    const disk = diskOf(table);
    disk.fill(0, 512, 1024);
    const repair = growGpt(read(disk), disk.length, 'hearth-data');
    expect(repair.map(({ why }) => why)).toEqual([
      'primary partition table',
      expect.stringMatching(/^backup/),
    ]);
    expect(read(apply(disk, repair))).toMatchObject({ from: 'primary', problem: undefined });
  });

  test('keeps the numbers of partitions when there are holes in the table', () => {
    const gap = { ...read(copied()), numbers: [1, 5, 9] };
    expect(read(apply(copied(), growGpt(gap, size, 'hearth-data'))).numbers).toEqual([1, 5, 9]);
  });

  test('refuses what cannot grow', () => {
    expect(() => growGpt(read(copied()), size, 'nothing')).toThrow(/no such partition/);
    expect(() => growGpt(read(copied()), size, 'hearth-esp')).toThrow(/'hearth-data' lies behind it/);
    expect(() => growGpt(read(copied()), 5 * MiB, 'hearth-data')).toThrow(/beyond what the disk can hold/);
  });
});

test('GUIDs are mixed-endian, and survive the way there and back', () => {
  expect(Buffer.from(guidToBytes(GPT_TYPES.esp)).toString('hex')).toBe('28732ac11ff8d211ba4b00a0c93ec93b');
  fc.assert(
    fc.property(fc.uuid(), (text) => {
      expect(guidFromBytes(guidToBytes(text))).toBe(text.toUpperCase());
    }),
  );
});
