/** Finding the roots: tables written by sgdisk and sfdisk, read by heart. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildProbe, run, scratch } from './programs.ts';

const MiB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'heart-test-'));
let probe = '';
beforeAll(() => {
  probe = buildProbe(folder);
  makeGpt(GPT);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What heart reads from a disk; the sanitizers end the probe with a status and a report on anything unsound. */
function table(disk: string, loaderUuid = '', sector = 512): string {
  const { status, stdout, stderr } = run(probe, ['table', disk, String(sector), loaderUuid]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout.trim();
}

function blank(size = 64 * MiB): string {
  const disk = join(scratch(), 'disk');
  writeFileSync(disk, '');
  truncateSync(disk, size);
  return disk;
}

const ESP = 'C12A7328-0000-4000-8000-00000000ABCD';
const GPT = join(folder, 'gpt');
function makeGpt(disk: string): void {
  writeFileSync(disk, '');
  truncateSync(disk, 64 * MiB);
  const parts = ['hearth-esp', 'hearth-state', 'hearth-root-a', 'hearth-root-b', 'hearth-data'];
  const args = parts.flatMap((name, i) => ['-n', `${i + 1}:0:+8M`, '-c', `${i + 1}:${name}`]);
  execFileSync('sgdisk', [...args, '-u', `1:${ESP}`, disk], { stdio: 'ignore' });
}
/** sgdisk takes a second for each run, so there is one to copy. */
function gpt(): string {
  const disk = join(scratch(), 'disk');
  execFileSync('cp', ['--sparse=always', GPT, disk]);
  return disk;
}
function mbr(signature: string): string {
  const disk = blank();
  const lines = ['4M,8M,c', '12M,8M,c', '20M,8M,c', '28M,,5', '29M,4M,83', '34M,4M,83', '39M,4M,83'];
  const input = `label: dos\nlabel-id: ${signature}\n${lines
    .map((line) => {
      const [start, size, type] = line.split(',');
      return `start=${start}iB, ${size ? `size=${size}iB, ` : ''}type=${type}`;
    })
    .join('\n')}\n`;
  execFileSync('sfdisk', ['-q', disk], { input });
  return disk;
}
function overwrite(disk: string, offset: number, bytes: Uint8Array): void {
  const fd = openSync(disk, 'r+');
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

const FOUND = 'gpt a=3 b=4 data=5 booted_from=0';

test('a GPT is known by its partitions’ names', () => {
  expect(table(gpt())).toBe(FOUND);
});

test('the disk that the boot loader came from is known by that partition’s GUID, in either case', () => {
  const disk = gpt();
  expect(table(disk, ESP)).toBe('gpt a=3 b=4 data=5 booted_from=1');
  expect(table(disk, ESP.toLowerCase())).toBe('gpt a=3 b=4 data=5 booted_from=1');
  expect(table(disk, ESP.replace('ABCD', 'ABCE'))).toBe(FOUND);
});

test.each([
  ['header', 512],
  ['entry', 1024 + 2 * 128 + 56],
])('a primary GPT with a torn %s gives way to the backup', (_what, offset) => {
  const disk = gpt();
  overwrite(disk, offset, Buffer.alloc(64, 0xa5));
  expect(table(disk)).toBe(FOUND);
});

test('a primary GPT whose header fails only its own checksum gives way to the backup', () => {
  const disk = gpt();
  // Another, empty table, with the checksum that the header has for its entries brought up to date: all but the last.
  const entries = Buffer.alloc(128 * 128);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32LE(crc32(entries));
  overwrite(disk, 1024, entries);
  overwrite(disk, 512 + 88, checksum);
  expect(table(disk)).toBe(FOUND);
});

test('with both copies torn it is nobody’s disk', () => {
  const disk = gpt();
  overwrite(disk, 512, Buffer.alloc(64));
  overwrite(disk, 64 * MiB - 512, Buffer.alloc(64));
  expect(table(disk)).toBe('none a=0 b=0 data=0 booted_from=0');
});

test('a disk with only one root is not ours', () => {
  const disk = gpt();
  execFileSync('sgdisk', ['-d', '4', disk], { stdio: 'ignore' });
  expect(table(disk)).toMatch(/^none /);
});

test('whatever a checksummed GPT header says, heart stays sound and finds the backup', () => {
  const seed = String(Math.floor(Math.random() * 2 ** 31));
  const { stdout, stderr, status } = run(probe, ['fuzz-table', gpt(), '2000', seed]);
  expect({ stdout, stderr, status }, `seed ${seed}`).toEqual({ stdout: '2000\n', stderr: '', status: 0 });
});

test('an MBR is known by its signature', () => {
  expect(table(mbr('0x48545248'))).toBe('mbr a=5 b=6 data=7 booted_from=0');
  expect(table(mbr('0x48545249'))).toMatch(/^none /);
});

test('a card that once had a GPT is read by its MBR', () => {
  const disk = mbr('0x48545248');
  const old = gpt();
  // What remains of the old table: its backup, in the last 33 sectors.
  execFileSync('dd', [
    `if=${old}`,
    `of=${disk}`,
    'bs=512',
    `skip=${131072 - 33}`,
    `seek=${131072 - 33}`,
    'conv=notrunc',
    'status=none',
  ]);
  expect(table(disk)).toBe('mbr a=5 b=6 data=7 booted_from=0');
});

test('a disk with sectors of 4096 bytes', () => {
  // sgdisk takes a file's sectors for 512 bytes; the tables of a 4Kn disk are the same structures, spread wider.
  const small = gpt();
  const disk = blank(512 * MiB);
  // LBA 1 and 2 hold the header and the entries at either size; the entries are 16 KiB in a row.
  execFileSync('dd', [
    `if=${small}`,
    `of=${disk}`,
    'bs=512',
    'skip=1',
    'seek=8',
    'count=1',
    'conv=notrunc',
    'status=none',
  ]);
  execFileSync('dd', [
    `if=${small}`,
    `of=${disk}`,
    'bs=512',
    'skip=2',
    'seek=16',
    'count=32',
    'conv=notrunc',
    'status=none',
  ]);
  expect(table(disk, '', 4096)).toBe(FOUND);
  expect(table(disk, '', 512)).toMatch(/^none /);
});

test.each([0, 1, 511, 512, 1024, 1536, 4096])('a disk of %i bytes is nobody’s', (size) => {
  expect(table(blank(size))).toMatch(/^none /);
});

test('partition nodes are named as the kernel names them', () => {
  const node = (disk: string) => run(probe, ['node', disk, '5']).stdout.trim();
  expect(['vda', 'sda', 'nvme0n1', 'mmcblk0'].map(node)).toEqual([
    '/dev/vda5',
    '/dev/sda5',
    '/dev/nvme0n1p5',
    '/dev/mmcblk0p5',
  ]);
});
