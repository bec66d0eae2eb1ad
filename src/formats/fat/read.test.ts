import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../errors.ts';
import { type ReadAt, readerOf, sparseReader, viewOf } from '../bytes.ts';
import { geometryFor } from './geometry.ts';
import { type FatType, readFat, writeFat } from './index.ts';

const MiB = 1024 * 1024;
const SIZES = { 16: 3 * MiB, 32: 40 * MiB } as const;
const SLOT = 'EFI/Linux/slot-a.efi';
const SLOT_BYTES = 3600;

/** An image whose used part is in memory and can be damaged, read as if the rest were there. */
function sample(type: FatType) {
  const size = SIZES[type];
  const contents: [string, number][] = [
    ['EFI/BOOT/BOOTX64.EFI', 1500],
    [SLOT, SLOT_BYTES],
    ['loader/loader.conf', 20],
    ['a long name, with ünicode.txt', 700],
  ];
  const image = writeFat(
    contents.map(([path, length]) => ({ path, content: Buffer.alloc(length, path) })),
    { type, size, label: 'TEST', volumeId: 1, time: new Date('2026-01-01T00:00:00Z') },
  );
  const used = Math.max(...image.pieces.map((piece) => piece.offset + piece.bytes.length));
  const bytes = sparseReader(image)(0, used);
  let bytesRead = 0;
  const read: ReadAt = (offset, length) => {
    const out = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
    out.set(bytes.subarray(offset, offset + out.length));
    bytesRead += out.length;
    return out;
  };
  const geometry = geometryFor(type, size);
  const dataStart = geometry.firstDataSector * 512;
  const width = type / 8;
  const view = viewOf(bytes);
  return {
    bytes,
    read,
    size,
    bytesRead: () => bytesRead,
    clusterOf: (offset: number) => (offset - dataStart) / geometry.clusterBytes + 2,
    clusterBytes: geometry.clusterBytes,
    offsetOf: (cluster: number) => dataStart + (cluster - 2) * geometry.clusterBytes,
    /** Makes `to` follow `cluster` in its chain. */
    link: (cluster: number, to: number) => {
      const at = geometry.reservedSectors * 512 + cluster * width;
      if (width === 2) view.setUint16(at, to, true);
      else view.setUint32(at, to, true);
    },
  };
}

/** The clusters of the slot's file, with the image to damage. */
function slotOf(disk: ReturnType<typeof sample>) {
  const first = disk.clusterOf(readFat(disk.read).extents(SLOT)[0]?.offset ?? 0);
  return { ...disk, first, count: Math.ceil(SLOT_BYTES / disk.clusterBytes) };
}

/** Asks for everything that a caller can ask for. */
function readAll(read: ReadAt): void {
  const fat = readFat(read);
  const walk = (path: string): void => {
    for (const { path: child } of fat.list(path)) {
      const found = fat.stat(child);
      if (!found) throw new Error(`${child} is listed but not found`);
      // Of two entries with one name the first counts: do not walk into a folder from its namesake again.
      if (found.path !== child) continue;
      if (found.isDirectory) walk(child);
      else {
        const sum = fat.extents(child).reduce((total, { length }) => total + length, 0);
        if (sum !== found.size || fat.file(child).length !== sum)
          throw new Error(`${child}: size and extents differ`);
      }
    }
  };
  walk('');
}

test('finds files in any case and by their short names', () => {
  const fat = readFat(sample(16).read);
  expect(fat.stat('efi/linux/SLOT-A.EFI')?.path).toBe(SLOT);
  expect(fat.stat('ALONGN~1.TXT')?.name).toBe('a long name, with ünicode.txt');
  expect(fat.list('').map(({ name }) => name)).toEqual(['EFI', 'a long name, with ünicode.txt', 'loader']);
  expect(fat.stat('nothing')).toBeUndefined();
  expect(fat.stat('loader/loader.conf/x')).toBeUndefined();
  expect(() => fat.file('nothing')).toThrow(/'nothing' does not exist/);
  expect(() => fat.file('EFI')).toThrow(/'EFI' is not a file/);
  expect(() => fat.list('loader/loader.conf')).toThrow(/is not a folder/);
});

describe.each([16, 32] as const)('FAT%i', (type) => {
  const slot = () => slotOf(sample(type));

  test('a file in two pieces has two extents, in order', () => {
    const { read, first, count, clusterBytes, link, offsetOf } = slot();
    const end = type === 16 ? 0xffff : 0x0fff_ffff;
    const far = first + 500;
    link(first + count - 2, far);
    link(far, end);
    const head = (count - 1) * clusterBytes;
    expect(readFat(read).extents(SLOT)).toEqual([
      { offset: offsetOf(first), length: head },
      { offset: offsetOf(far), length: SLOT_BYTES - head },
    ]);
  });

  test.each([
    ['a cycle', (first: number) => first, /'EFI\/Linux\/slot-a.efi' meets a cluster that is already in use/],
    ['another file', (first: number) => first - 1, /meets a cluster that is already in use/],
    ['cluster 0', () => 0, /leaves the file system/],
    ['cluster 1', () => 1, /leaves the file system/],
    ['a bad cluster', () => (type === 16 ? 0xfff7 : 0x0fff_fff7), /leaves the file system/],
    ['the end too early', () => (type === 16 ? 0xfff8 : 0x0fff_fff8), /ends after 1 of \d clusters/],
  ])('a chain that leads to %s is refused', (_, target, message) => {
    const { read, first, link } = slot();
    link(first, target(first));
    expect(() => readFat(read)).toThrow(message);
    expect(() => readFat(read)).toThrow(new RegExp(`\\(${SLOT}, cluster \\d+\\)`));
  });

  test('damage anywhere gives a FormatError or another tree, and bounded work', () => {
    const clean = sample(type);
    const change = fc.record({ at: fc.nat(clean.bytes.length - 1), value: fc.integer({ min: 0, max: 255 }) });
    // Most of an image is empty table: aim at what means something.
    const places = [...clean.bytes.keys()].filter((at) => clean.bytes[at] !== 0 || at < 512);
    const aimed = fc.record({ at: fc.constantFrom(...places), value: fc.integer({ min: 0, max: 255 }) });
    fc.assert(
      fc.property(fc.array(fc.oneof(aimed, change), { minLength: 1, maxLength: 12 }), (changes) => {
        const disk = sample(type);
        for (const { at, value } of changes) disk.bytes[at] = value;
        try {
          readAll(disk.read);
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
        expect(disk.bytesRead()).toBeLessThan(8 * disk.size);
      }),
      { numRuns: type === 16 ? 300 : 100 },
    );
  });
});

test("FAT32: the upper four bits of a table entry are nobody's business", () => {
  const disk = sample(32);
  const { first, count } = slotOf(disk);
  for (let cluster = first; cluster < first + count - 1; cluster++)
    disk.link(cluster, (0xa000_0000 | (cluster + 1)) >>> 0);
  expect(readFat(disk.read).extents(SLOT)).toHaveLength(1);
});

test('parsing reads the tables and folders that are in use, not the file system', () => {
  const disk = sample(32);
  readFat(disk.read);
  expect(disk.bytesRead()).toBeLessThan(64 * 1024);
});

test.each([
  ['nothing', new Uint8Array(0)],
  ['zeros', new Uint8Array(65_536)],
  ['text', Buffer.alloc(65_536, 'not a file system ')],
])('%s is no FAT file system', (_, bytes) => {
  expect(() => readFat(readerOf(bytes))).toThrow(FormatError);
});

test('a file system that ends before its own end is refused at once', () => {
  const { bytes } = sample(16);
  expect(() => readFat(readerOf(bytes))).toThrow(/too early/);
});

test('a name from disk cannot be taken for a path', () => {
  const disk = sample(16);
  const text = Buffer.from(disk.bytes.buffer, disk.bytes.byteOffset, disk.bytes.length);
  text.write('A/B', text.indexOf('LOADER~1CON'));
  expect(() => readFat(disk.read)).toThrow(/impossible name "A\/BDER~1.CON"/);
});
