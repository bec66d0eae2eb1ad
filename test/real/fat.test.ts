// The FAT writer and reader against programs that others wrote: fsck.fat, mtools and mkfs.fat.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SparseImage } from '../../src/formats/bytes.ts';
import { type FatFile, type FatOptions, readFat, writeFat } from '../../src/formats/fat/index.ts';
import { MiB } from '../../src/update/layout.ts';
import { DiskFile, run } from './disk-file.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-fat-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function diskOf(name: string, image: SparseImage): DiskFile {
  return new DiskFile(join(dir, name), image.size).write(image.pieces);
}

const KiB = 1024;
const fatOptions: FatOptions = {
  type: 16,
  size: 4 * MiB,
  label: 'HEARTH',
  volumeId: 0x1234_abcd,
  hiddenSectors: 2048,
  time: new Date('2026-03-04T05:06:08Z'),
};

/** Judges a FAT image: no complaint of fsck.fat, which prints the name of what it dislikes. */
function expectCleanFat(path: string): void {
  const { status, output } = run('fsck.fat', '-n', path);
  expect(output).toMatch(/^fsck\.fat [\d.]+ \([\d-]+\)\n[^\n]*: \d+ files, \d+\/\d+ clusters\n$/);
  expect(status).toBe(0);
}

/** All files below a folder of the host: path -> bytes. */
function hostTree(root: string, prefix = ''): Map<string, Uint8Array> {
  const tree = new Map<string, Uint8Array>();
  for (const entry of readdirSync(join(root, prefix), { withFileTypes: true })) {
    const path = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) for (const [name, bytes] of hostTree(root, path)) tree.set(name, bytes);
    else tree.set(path, readFileSync(join(root, path)));
  }
  return tree;
}
const fatTree = (files: readonly FatFile[]) =>
  new Map(files.map(({ path, content }) => [path, Buffer.from(content)]));

describe('FAT writer', () => {
  const odd = [
    'EFI',
    'bootcode.bin',
    'a.b.c',
    'UPPER.lower',
    'two words.txt',
    '.hidden',
    'übermäßig',
    '日本語.テキスト',
    '+,;=[]',
    'x~1',
    'no extension at all',
  ];
  const letters = [...'abcXYZ019 ._-~+=ßéЖ語'];
  const component = fc
    .oneof(
      fc.constantFrom(...odd),
      fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 60 }),
    )
    .filter((name) => !/[. ]$|^\.{1,2}$/.test(name));
  /** Leaves in up to three levels of folders; the level is in the folder's name, so that no leaf is a folder too. */
  const files = fc.uniqueArray(
    fc.record({
      folders: fc.integer({ min: 0, max: 3 }),
      name: component,
      content: fc.uint8Array({ maxLength: 5000 }),
    }),
    { maxLength: 40, selector: ({ folders, name }) => `${folders} ${name.toUpperCase()}` },
  );
  const toFiles = (specs: { folders: number; name: string; content: Uint8Array }[]): FatFile[] =>
    specs.map(({ folders, name, content }) => ({
      path: [...['A long folder name', 'sub', 'DEEP.ER'].slice(0, folders), `f${name}`].join('/'),
      content,
    }));

  test('B1: fsck.fat finds nothing, and mcopy copies out what went in, for odd trees', () => {
    let runs = 0;
    fc.assert(
      fc.property(files, fc.constantFrom(16 as const, 32 as const), (specs, type) => {
        const given = toFiles(specs);
        const size = type === 16 ? 8 * MiB : 40 * MiB;
        using disk = diskOf('odd.img', writeFat(given, { ...fatOptions, type, size }));
        expectCleanFat(disk.path);
        const out = join(dir, `odd-${runs++}`);
        mkdirSync(out);
        if (given.length > 0) {
          expect(run('mcopy', '-s', '-n', '-i', disk.path, '::*', out)).toEqual({
            status: 0,
            output: '',
          });
        }
        expect(hostTree(out)).toEqual(fatTree(given));
        rmSync(out, { recursive: true });
      }),
      { numRuns: 25 },
    );
  });

  test('mdir and mtype see label, serial number, size, time and content', () => {
    const content = Buffer.from('timeout 0\ndefault slot-a.efi\n');
    using disk = diskOf('mdir.img', writeFat([{ path: 'loader/loader.conf', content }], fatOptions));
    const listing = run('mdir', '-i', disk.path, '::/loader').output;
    expect(listing).toMatch(/Volume in drive : is HEARTH/);
    expect(listing).toMatch(/Volume Serial Number is 1234-ABCD/);
    expect(listing).toMatch(/LOADER~1 CON +29 2026-03-04 +5:06 +loader\.conf/);
    expect(run('mtype', '-i', disk.path, '::/loader/loader.conf').output).toBe(content.toString());
  });

  test('a reserved file is contiguous to mtools too, and its content can be replaced in place', () => {
    const reserve = 2 * MiB;
    const given = [{ path: 'EFI/Linux/slot-b.efi', content: Buffer.from('old'), reserve }];
    using disk = diskOf('slots.img', writeFat(given, { ...fatOptions, size: 8 * MiB }));
    // mshowfat prints the clusters of a file, one <from-to> for each run.
    expect(run('mshowfat', '-i', disk.path, '::/EFI/Linux/slot-b.efi').output).toMatch(
      /^::\/EFI\/Linux\/slot-b.efi <\d+-\d+>\s*$/,
    );
    const [extent] = readFat(disk.read).extents('EFI/Linux/slot-b.efi');
    disk.write([{ offset: extent?.offset ?? 0, bytes: Buffer.alloc(reserve, 'new') }]);
    expectCleanFat(disk.path);
    const out = join(dir, 'slot-b.efi');
    run('mcopy', '-n', '-i', disk.path, '::/EFI/Linux/slot-b.efi', out);
    expect(Buffer.compare(readFileSync(out), Buffer.alloc(reserve, 'new'))).toBe(0);
  });

  test.each<[string, Partial<FatOptions>, () => FatFile[]]>([
    ['an empty one', {}, () => []],
    ['the smallest FAT16', { size: 4220 * 512 }, () => []],
    ['a FAT16 of almost 2 GiB', { size: 2000 * MiB }, () => []],
    ['a FAT32 of 64 GiB', { type: 32, size: 64 * 1024 * MiB }, () => []],
    [
      'one that is full to its last cluster',
      {},
      () => [{ path: 'full', content: Buffer.alloc(0), reserve: 8088 * 512 }],
    ],
    [
      'a folder of 3,000 long names that begin alike',
      { size: 16 * MiB },
      () =>
        Array.from({ length: 3000 }, (_, n) => ({
          path: `d/a name that is long ${n}`,
          content: Buffer.from(`${n}`),
        })),
    ],
    [
      'names of 255 units',
      {},
      () => ['x', 'y'].map((char) => ({ path: char.repeat(255), content: Buffer.from(char) })),
    ],
    [
      'characters outside the first plane',
      {},
      () => [{ path: '👩‍🚀/🔥🔥.txt', content: Buffer.from('fire') }],
    ],
  ])('fsck.fat finds nothing in %s', (_, options, make) => {
    using disk = diskOf('edge.img', writeFat(make(), { ...fatOptions, ...options }));
    expectCleanFat(disk.path);
  });

  test('a folder holds 65,536 entries, and the next is refused', () => {
    const make = (count: number) =>
      writeFat(
        Array.from({ length: count }, (_, n) => ({ path: `D/${n}`, content: new Uint8Array(0) })),
        { ...fatOptions, size: 8 * MiB },
      );
    // '.' and '..' are two of them.
    using disk = diskOf('many.img', make(65_534));
    expect(readFat(disk.read).list('d')).toHaveLength(65_534);
    expect(run('mdir', '-b', '-i', disk.path, '::/D').output.trimEnd().split('\n')).toHaveLength(65_534);
    expect(() => make(65_535)).toThrow(/1 directory entries more than the 65536/);
  });
});

describe('FAT reader', () => {
  test.each([
    ['FAT12, a floppy', 1440 * KiB, ['-F', '12']],
    ['FAT12, large clusters', 8 * MiB, ['-F', '12', '-s', '8']],
    ['FAT16', 16 * MiB, ['-F', '16']],
    ['FAT16, one FAT, sectors of 2 KiB', 32 * MiB, ['-F', '16', '-f', '1', '-S', '2048']],
    ['FAT32', 40 * MiB, ['-F', '32', '-s', '1']],
  ])('reads what mkfs.fat and mcopy made, in pieces too: %s', (name, size, args) => {
    using disk = new DiskFile(join(dir, 'mkfs.img'), size);
    expect(run('mkfs.fat', ...args, '-n', 'OTHERS', '-i', 'cafebabe', disk.path).status).toBe(0);
    const source = mkdtempSync(join(dir, 'source-'));
    const put = (path: string, content: Uint8Array) => {
      mkdirSync(join(source, path, '..'), { recursive: true });
      writeFileSync(join(source, path), content);
    };
    const names = [
      'KERNEL8.IMG',
      'cmdline.txt',
      'A long näme.with dots',
      'overlays/disable-bt.dtbo',
      'overlays/deep/er/x',
    ];
    for (const [index, path] of names.entries()) put(path, Buffer.alloc(index * 3333, `${path}\n`));
    for (let index = 0; index < 40; index++)
      put(`fill/file number ${index}`, Buffer.alloc(9000, `${index} `));
    const copy = (...paths: string[]) =>
      expect(
        run('mcopy', '-s', '-Q', '-i', disk.path, ...paths.map((path) => join(source, path)), '::/').output,
      ).toBe('');
    copy('KERNEL8.IMG', 'cmdline.txt', 'A long näme.with dots', 'overlays', 'fill');
    // Holes, and a file that must go into them.
    for (let index = 0; index < 40; index += 2) {
      expect(run('mdel', '-i', disk.path, `::/fill/file number ${index}`).output).toBe('');
      rmSync(join(source, `fill/file number ${index}`));
    }
    const free = Number(
      /([\d ]+) bytes free/.exec(run('mdir', '-i', disk.path, '::/').output)?.[1]?.replaceAll(' ', ''),
    );
    put('pieces', Buffer.alloc(free - 64 * KiB, 'in pieces '));
    copy('pieces');

    const fat = readFat(disk.read);
    expect(fat).toMatchObject({ type: Number(/\d+/.exec(name)?.[0]), label: 'OTHERS', volumeId: 0xcafebabe });
    for (const [path, content] of hostTree(source)) {
      expect(fat.stat(path)).toMatchObject({ path, size: content.length });
      expect(Buffer.compare(fat.file(path), content), path).toBe(0);
      const parts = fat.extents(path).map(({ offset, length }) => disk.read(offset, length));
      expect(Buffer.compare(Buffer.concat(parts), content), path).toBe(0);
    }
    expect(fat.extents('PIECES').length).toBeGreaterThan(1);
    expect(fat.list('fill')).toHaveLength(20);
  });

  test('takes a FAT32 with too few clusters for FAT32, as Linux does', () => {
    using disk = new DiskFile(join(dir, 'small32.img'), 16 * MiB);
    expect(run('mkfs.fat', '-F', '32', disk.path).status).toBe(0);
    expect(readFat(disk.read)).toMatchObject({ type: 32 });
  });
});
