import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { sparseReader } from '../bytes.ts';
import { CLUSTER_LIMITS, geometryFor } from './geometry.ts';
import { type FatFile, type FatOptions, readFat, writeFat } from './index.ts';
import { foldName, nameProblem } from './names.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const options: FatOptions = {
  type: 16,
  size: 4 * MiB,
  label: 'HEARTH',
  volumeId: 0xcafe_f00d,
  time: new Date('2026-01-02T03:04:06Z'),
};
const text = (path: string, content: string): FatFile => ({ path, content: Buffer.from(content) });

/** Trees of files with odd names, no two of which are the same to FAT. */
const component = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    fc.constantFrom(
      'A',
      'a.b',
      'x.Y',
      'CON',
      'name~1.txt',
      '.profile',
      'two words',
      '日本語',
      'é',
      '👩‍🚀',
      '_____.___',
    ),
  )
  .filter((name) => nameProblem(name) === undefined);
const tree = fc
  .uniqueArray(
    fc.record({
      path: fc.array(component, { minLength: 1, maxLength: 4 }).map((names) => names.join('/')),
      content: fc.uint8Array({ maxLength: 3000 }),
    }),
    { maxLength: 25, selector: ({ path }) => foldName(path) },
  )
  .map((files) => {
    // A file may not be another one's folder, nor folders differ in case only.
    const seen = new Map<string, string>();
    return files.filter(({ path }) => {
      const names = path.split('/');
      const prefixes = names.map((_, index) => names.slice(0, index + 1).join('/'));
      const fits = prefixes.every((prefix, index) => {
        const other = seen.get(foldName(prefix));
        return other === undefined || (other === `dir ${prefix}` && index < names.length - 1);
      });
      if (!fits) return false;
      prefixes.forEach((prefix, index) => {
        seen.set(foldName(prefix), `${index < names.length - 1 ? 'dir' : 'file'} ${prefix}`);
      });
      return true;
    });
  });

describe('writeFat', () => {
  test('what it writes is read back, whatever the tree, and each file lies in one piece', () => {
    fc.assert(
      fc.property(tree, fc.constantFrom(16 as const, 32 as const), (files, type) => {
        const image = writeFat(files, { ...options, type, size: type === 16 ? 8 * MiB : 40 * MiB });
        const fat = readFat(sparseReader(image));
        expect(fat).toMatchObject({ type, label: 'HEARTH', volumeId: 0xcafe_f00d });
        for (const { path, content } of files) {
          expect(fat.stat(path)).toMatchObject({ path, size: content.length, isDirectory: false });
          expect(Buffer.compare(fat.file(path), content)).toBe(0);
          expect(fat.extents(path).length).toBe(content.length === 0 ? 0 : 1);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('the order of the files makes no difference', () => {
    const files = ['b', 'a/c', 'a/b', 'z/y/x'].map((path) => text(path, path));
    expect(writeFat(files.toReversed(), options)).toEqual(writeFat(files, options));
  });

  test('a reserve fixes the size: zeros follow the content, and the place does not depend on it', () => {
    const place = (content: string) => {
      const image = writeFat(
        [{ ...text('EFI/Linux/slot-a.efi', content), reserve: MiB }, text('z', 'after')],
        options,
      );
      const fat = readFat(sparseReader(image));
      expect(fat.file('EFI/Linux/slot-a.efi')).toEqual(
        Buffer.concat([Buffer.from(content), Buffer.alloc(MiB - content.length)]),
      );
      return [fat.extents('EFI/Linux/slot-a.efi'), fat.extents('z')];
    };
    expect(place('old')).toEqual(place('something new'));
    expect(place('')[0]).toEqual([{ offset: expect.any(Number), length: MiB }]);
  });

  test('a mostly empty file system costs no memory', () => {
    const image = writeFat([{ path: 'big', content: new Uint8Array(1), reserve: 512 * MiB }], {
      ...options,
      type: 32,
      size: 1024 * MiB,
    });
    const bytes = image.pieces.reduce((sum, piece) => sum + piece.bytes.length, 0);
    expect(bytes).toBeLessThan(2 * MiB);
    const ends = image.pieces.map(({ offset, bytes }) => offset + bytes.length);
    expect(image.pieces.slice(1).every(({ offset }, index) => offset >= (ends[index] ?? 0))).toBe(true);
  });

  test('what does not fit is named, with by how much', () => {
    const big = { path: 'boot/kernel8.img', content: new Uint8Array(0), reserve: 5 * MiB };
    expect(() => writeFat([big], options)).toThrow(/does not fit: \d+ bytes more.*\(boot\/kernel8.img\)/);
    const tight = { path: 'slot', content: new Uint8Array(1001), reserve: 1000 };
    expect(() => writeFat([tight], options)).toThrow(/1 bytes larger than the 1000 bytes reserved/);
    const many = Array.from({ length: 600 }, (_, index) => text(`F${index}`, ''));
    expect(() => writeFat(many, options)).toThrow(/89 directory entries more than the 512/);
  });

  test('a file system can be filled to its last cluster, and not beyond', () => {
    const { clusterCount, clusterBytes } = geometryFor(16, options.size);
    const full = (clusters: number) =>
      writeFat([{ path: 'full', content: new Uint8Array(0), reserve: clusters * clusterBytes }], options);
    expect(readFat(sparseReader(full(clusterCount))).extents('full')).toHaveLength(1);
    expect(() => full(clusterCount + 1)).toThrow(`does not fit: ${clusterBytes} bytes more`);
  });

  test.each([
    ['the same name in another case', ['Readme', 'README'], /'README' and 'Readme' are the same/],
    ['folders in another case', ['efi/a', 'EFI/b'], /are the same name to FAT/],
    ['a file given twice', ['a/b', 'a/b'], /twice/],
    ['a file that is also a folder', ['a', 'a/b'], /both a file and a folder/],
    ['an absolute path', ['/a'], /not a file name/],
    ['a way up', ['a/../b'], /'\.\.' is not a file name/],
    ['a character that FAT forbids', ['a?b'], /forbids/],
  ])('refuses %s', (_, paths, message) => {
    expect(() =>
      writeFat(
        paths.map((path) => text(path, '')),
        options,
      ),
    ).toThrow(message);
  });

  test('refuses options out of range', () => {
    expect(() => writeFat([], { ...options, size: 100_000 })).toThrow(/100000 bytes cannot be written/);
    expect(() => writeFat([], { ...options, size: MiB })).toThrow(/make no FAT16/);
    expect(() => writeFat([], { ...options, type: 32, size: 32 * MiB })).toThrow(/make no FAT32/);
    expect(() => writeFat([], { ...options, sectorsPerCluster: 3 })).toThrow(/sectors per cluster/);
    expect(() => writeFat([], { ...options, label: 'lower' })).toThrow(/label/);
    expect(() => writeFat([], { ...options, volumeId: -1 })).toThrow(/volume id/);
    expect(() => writeFat([], { ...options, hiddenSectors: 2 ** 32 })).toThrow(/hidden sectors/);
    expect(() => writeFat([], { ...options, time: new Date('1979-12-31') })).toThrow(/the year 1979/);
  });
});

test('cluster counts stay 16 away from where one type of FAT ends and the next begins', () => {
  expect(CLUSTER_LIMITS).toEqual({
    16: { min: 4101, max: 65_508 },
    32: { min: 65_541, max: 268_435_429 },
  });
});

test('every geometry has a type-true cluster count, a large enough FAT, and data on a 4 KiB border', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(16 as const, 32 as const),
      fc.integer({ min: 4200, max: 60_000_000 }),
      (type, sectors) => {
        const size = sectors * 512;
        // Between these sizes some cluster size always fits.
        fc.pre(type === 16 ? size <= 2000 * MiB : size >= 34 * MiB);
        const geometry = geometryFor(type, size);
        const { clusterCount, sectorsPerFat, sectorsPerCluster, firstDataSector, totalSectors } = geometry;
        expect(clusterCount).toBeGreaterThanOrEqual(CLUSTER_LIMITS[type].min);
        expect(clusterCount).toBeLessThanOrEqual(CLUSTER_LIMITS[type].max);
        expect((clusterCount + 2) * (type / 8)).toBeLessThanOrEqual(sectorsPerFat * 512);
        expect(firstDataSector % 8).toBe(0);
        const unused = totalSectors - firstDataSector - clusterCount * sectorsPerCluster;
        expect(unused).toBeGreaterThanOrEqual(0);
        expect(unused).toBeLessThan(sectorsPerCluster);
      },
    ),
    { numRuns: 200 },
  );
});
