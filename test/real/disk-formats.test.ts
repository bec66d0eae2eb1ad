// Partition tables, cpio archives and the U-Boot environment against programs that others wrote: sgdisk, sfdisk and
// partx, cpio, and libubootenv's fw_printenv and fw_setenv.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cpioBytes } from '../../src/formats/cpio.ts';
import { GPT_TYPES, growGpt, readGpt, writeGpt } from '../../src/formats/gpt.ts';
import { growMbr, MBR_TYPES, readMbr, writeMbr } from '../../src/formats/mbr.ts';
import type { DirNode, FileNode, TreeNode } from '../../src/formats/tree.ts';
import { decodeEnv, encodeEnv, nextEnv, pickEnv } from '../../src/formats/ubootenv.ts';
import { ENV, MBR_SIGNATURE, MiB } from '../../src/update/layout.ts';
import { DiskFile, judgeEnvironment, run } from './disk-file.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-disk-formats-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface SfdiskTable {
  label: string;
  id: string;
  partitions: {
    node: string;
    start: number;
    size: number;
    type: string;
    uuid?: string;
    name?: string;
    attrs?: string;
  }[];
}
function sfdisk(path: string): SfdiskTable {
  return JSON.parse(
    execFileSync('sfdisk', ['--json', path], { encoding: 'utf8', stdio: 'pipe', env: judgeEnvironment }),
  ).partitiontable;
}

describe('GPT', () => {
  const guid = (n: number) => `0F0E0D0C-0B0A-4908-8706-${`${n}`.padStart(12, '0')}`;
  const table = {
    diskSize: 64 * MiB,
    diskGuid: guid(0),
    partitions: [
      {
        type: GPT_TYPES.hearthState,
        guid: guid(1),
        name: 'hearth-state',
        firstByte: MiB,
        size: 15 * MiB,
        attributes: 1n << 63n,
      },
      {
        type: GPT_TYPES.esp,
        guid: guid(2),
        name: 'hearth-esp',
        firstByte: 16 * MiB,
        size: 8 * MiB,
        attributes: 0n,
      },
      {
        type: GPT_TYPES.linux,
        guid: guid(3),
        name: 'hearth-dätä',
        firstByte: 24 * MiB,
        size: 16 * MiB,
        attributes: 0n,
      },
    ],
  };
  const made = () => new DiskFile(join(dir, 'gpt.img'), table.diskSize).write(writeGpt(table));
  function expectGood(path: string): void {
    expect(run('sgdisk', '-v', path).output).toMatch(/^\s*No problems found/);
    expect(run('sfdisk', '-V', path).output).toMatch(/No errors detected/);
  }

  test('sgdisk and sfdisk find no fault, and see the same partitions', () => {
    using disk = made();
    expectGood(disk.path);
    const seen = sfdisk(disk.path);
    expect(seen).toMatchObject({ label: 'gpt', id: guid(0), firstlba: 34, lastlba: 131_038 });
    expect(seen.partitions).toEqual([
      {
        node: `${disk.path}1`,
        start: 2048,
        size: 30_720,
        type: GPT_TYPES.hearthState,
        uuid: guid(1),
        name: 'hearth-state',
        attrs: 'GUID:63',
      },
      {
        node: `${disk.path}2`,
        start: 32_768,
        size: 16_384,
        type: GPT_TYPES.esp,
        uuid: guid(2),
        name: 'hearth-esp',
      },
      {
        node: `${disk.path}3`,
        start: 49_152,
        size: 32_768,
        type: GPT_TYPES.linux,
        uuid: guid(3),
        name: 'hearth-dätä',
      },
    ]);
  });

  test('grown on a larger disk it is without fault; after the first step alone the old table is still read', () => {
    using disk = made();
    disk.resize(256 * MiB);
    const [backup, primary] = growGpt(readGpt(disk.read, disk.size), disk.size, 'hearth-dätä');
    if (!backup || !primary) throw new Error('two steps expected');
    disk.write([backup]);
    expect(sfdisk(disk.path).partitions[2]).toMatchObject({ start: 49_152, size: 32_768 });
    disk.write([{ offset: primary.offset, bytes: Buffer.alloc(1024, 0xa5) }]);
    expect(run('sfdisk', '--json', disk.path).output).toMatch(/"size": 473088/);
    disk.write([primary]);
    expectGood(disk.path);
    expect(sfdisk(disk.path).partitions[2]).toMatchObject({ start: 49_152, size: 473_088 });
  });

  test('reads what sgdisk made, holes in the numbering included', () => {
    using disk = new DiskFile(join(dir, 'sgdisk.img'), 64 * MiB);
    const make = [
      '-n',
      '2:2048:+4M',
      '-t',
      '2:ef00',
      '-c',
      '2:first',
      '-n',
      '7:0:+8M',
      '-c',
      '7:sécond',
      '-A',
      '7:set:2',
    ];
    expect(run('sgdisk', ...make, '-U', guid(9), disk.path).status).toBe(0);
    const gpt = readGpt(disk.read, disk.size);
    expect(gpt).toMatchObject({ from: 'primary', problem: undefined, diskGuid: guid(9), numbers: [2, 7] });
    expect(gpt.partitions).toMatchObject([
      { name: 'first', type: GPT_TYPES.esp, firstByte: MiB, size: 4 * MiB, attributes: 0n },
      { name: 'sécond', type: GPT_TYPES.linux, firstByte: 5 * MiB, size: 8 * MiB, attributes: 4n },
    ]);
    disk.resize(100 * MiB);
    disk.write(growGpt(readGpt(disk.read, disk.size), disk.size, 'sécond'));
    expectGood(disk.path);
    expect(sfdisk(disk.path).partitions[1]).toMatchObject({
      node: `${disk.path}7`,
      attrs: 'LegacyBIOSBootable',
    });
  });
});

describe('MBR', () => {
  const { fat16Lba, fat32Lba, linux } = MBR_TYPES;
  const table = {
    diskSize: 128 * MiB,
    signature: MBR_SIGNATURE,
    primaries: [
      { type: fat16Lba, firstByte: 16 * MiB, size: 4 * MiB },
      { type: fat32Lba, firstByte: 20 * MiB, size: 8 * MiB },
      { type: fat32Lba, firstByte: 28 * MiB, size: 8 * MiB },
    ],
    logicals: [
      { type: linux, firstByte: 40 * MiB, size: 16 * MiB },
      { type: linux, firstByte: 60 * MiB, size: 16 * MiB },
      { type: linux, firstByte: 80 * MiB, size: 48 * MiB },
    ],
  };
  const sectors = (first: number, size: number) => ({ start: (first * MiB) / 512, size: (size * MiB) / 512 });

  test('sfdisk finds no fault, and sees the same partitions', () => {
    using disk = new DiskFile(join(dir, 'mbr.img'), table.diskSize).write(writeMbr(table));
    expect(run('sfdisk', '-V', disk.path).output).toMatch(/No errors detected/);
    const seen = sfdisk(disk.path);
    expect(seen).toMatchObject({ label: 'dos', id: '0x48545248' });
    expect(seen.partitions.map(({ start, size, type }) => ({ start, size, type }))).toEqual([
      { ...sectors(16, 4), type: 'e' },
      { ...sectors(20, 8), type: 'c' },
      { ...sectors(28, 8), type: 'c' },
      { ...sectors(36, 92), type: 'f' },
      { ...sectors(40, 16), type: '83' },
      { ...sectors(60, 16), type: '83' },
      { ...sectors(80, 48), type: '83' },
    ]);
  });

  test('p7 grown beyond p4: partx and sfdisk see the new size, and only that has changed', () => {
    using disk = new DiskFile(join(dir, 'mbr-grown.img'), table.diskSize).write(writeMbr(table));
    const before = sfdisk(disk.path).partitions;
    disk.resize(512 * MiB);
    disk.write(growMbr(readMbr(disk.read, disk.size), disk.size));
    expect(sfdisk(disk.path).partitions).toEqual([
      ...before.slice(0, 6),
      { ...before[6], size: (432 * MiB) / 512 },
    ]);
    const columns = run('partx', '--raw', '--noheadings', '--output', 'NR,START,SECTORS', disk.path).output;
    expect(columns.trimEnd().split('\n').at(-1)).toBe(`7 ${(80 * MiB) / 512} ${(432 * MiB) / 512}`);
    expect(run('sfdisk', '-V', disk.path).output).toMatch(
      /Logical partition 7: not entirely in partition 4\.\n1 error/,
    );
  });

  test('reads what sfdisk made', () => {
    using disk = new DiskFile(join(dir, 'sfdisk.img'), 128 * MiB);
    const script = 'label: dos\nlabel-id: 0x12345678\n,8M,c,*\n,8M,e\n,,E\n,16M,83\n,8M,83\n,,83\n';
    execFileSync('sfdisk', ['--quiet', disk.path], { input: script, stdio: 'pipe', env: judgeEnvironment });
    const mbr = readMbr(disk.read, disk.size);
    const { primaries, numbers, logicals, signature } = mbr;
    expect({ signature, numbers }).toEqual({ signature: 0x12345678, numbers: [1, 2] });
    const ours = [...primaries, ...logicals].map(({ type, firstByte, size }) => [
      firstByte / 512,
      size / 512,
      type,
    ]);
    const theirs = sfdisk(disk.path).partitions.filter(({ type }) => type !== '5');
    expect(ours).toEqual(theirs.map(({ start, size, type }) => [start, size, Number.parseInt(type, 16)]));
    disk.resize(200 * MiB);
    disk.write(growMbr(readMbr(disk.read, disk.size), disk.size));
    expect(sfdisk(disk.path).partitions.at(-1)?.size).toBeGreaterThan((140 * MiB) / 512);
  });
});

describe('cpio', () => {
  const owner = { uid: 0, gid: 0 };
  const file = (bytes: Uint8Array, mode = 0o644): FileNode => ({
    ...{ type: 'file', mode, ...owner },
    content: {
      size: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      read: async () => bytes,
    },
  });
  const folder = (entries: Record<string, TreeNode>, mode = 0o755): DirNode => ({
    ...{ type: 'dir', mode, ...owner, entries: new Map(Object.entries(entries)) },
  });
  const writeArchive = async (name: string, root: DirNode) => {
    const path = join(dir, name);
    writeFileSync(path, await cpioBytes(root, { mtime: 1_700_000_000 }));
    return path;
  };

  test('cpio -itv lists modes, owners, devices, links and times', async () => {
    const path = await writeArchive(
      'list.cpio',
      folder({
        init: { ...file(Buffer.from('#!'), 0o4755), uid: 1000, gid: 70_000 },
        dev: folder({
          console: { type: 'char', mode: 0o600, ...owner, major: 5, minor: 1 },
          vda: { type: 'block', mode: 0o660, ...owner, major: 254, minor: 0 },
        }),
        lib: { type: 'symlink', mode: 0o777, ...owner, target: 'usr/lib' },
      }),
    );
    const { status, output } = run('sh', '-c', `cpio -itv --numeric-uid-gid < '${path}'`);
    expect(output.replace(/ +/g, ' ').split('\n')).toEqual([
      'drwxr-xr-x 2 0 0 0 Nov 14 2023 dev',
      'crw------- 1 0 0 5, 1 Nov 14 2023 dev/console',
      'brw-rw---- 1 0 0 254, 0 Nov 14 2023 dev/vda',
      '-rwsr-xr-x 1 1000 70000 2 Nov 14 2023 init',
      'lrwxrwxrwx 1 0 0 7 Nov 14 2023 lib -> usr/lib',
      '2 blocks',
      '',
    ]);
    expect(status).toBe(0);
  });

  test('B1: cpio -i extracts what went in, for odd trees', async () => {
    const name = fc
      .oneof(
        fc.constantFrom(' ', 'a b', '-n', 'é', '日本', '\n', '*', 'TRAILER', '..a'),
        fc.string({ maxLength: 30 }),
      )
      .filter((text) => text !== '' && text !== '.' && text !== '..' && !/[/\0]/.test(text));
    const leaf: fc.Arbitrary<TreeNode> = fc.oneof(
      fc.uint8Array({ maxLength: 600 }).map((bytes) => file(bytes)),
      name.map((target) => ({ type: 'symlink' as const, mode: 0o777, ...owner, target })),
    );
    const tree = fc.letrec<{ dir: DirNode; node: TreeNode }>((tie) => ({
      dir: fc
        .uniqueArray(fc.tuple(name, tie('node')), { maxLength: 6, selector: ([key]) => key })
        .map((entries) => ({
          ...folder({}),
          entries: new Map(entries),
        })),
      node: fc.oneof({ maxDepth: 3 }, leaf, tie('dir')),
    })).dir;
    const describeTree = (root: string, prefix = ''): [string, string][] =>
      readdirSync(join(root, prefix)).flatMap((key): [string, string][] => {
        const path = join(prefix, key);
        const stat = lstatSync(join(root, path));
        if (stat.isSymbolicLink()) return [[path, `-> ${readlinkSync(join(root, path))}`]];
        if (stat.isDirectory()) return [[path, 'dir'], ...describeTree(root, path)];
        return [[path, readFileSync(join(root, path)).toString('hex')]];
      });
    const describeNode = async (node: DirNode, prefix = ''): Promise<[string, string][]> => {
      const all = [...node.entries].map(async ([key, child]): Promise<[string, string][]> => {
        const path = join(prefix, key);
        if (child.type === 'dir') return [[path, 'dir'], ...(await describeNode(child, path))];
        if (child.type === 'symlink') return [[path, `-> ${child.target}`]];
        if (child.type === 'file') return [[path, Buffer.from(await child.content.read()).toString('hex')]];
        throw new Error('no devices here');
      });
      return (await Promise.all(all)).flat();
    };
    await fc.assert(
      fc.asyncProperty(tree, async (root) => {
        const path = await writeArchive('odd.cpio', root);
        const out = mkdtempSync(join(dir, 'cpio-'));
        const extract = 'cd "$1" && cpio -id --quiet --no-absolute-filenames --no-preserve-owner < "$2"';
        expect(run('sh', '-c', extract, 'sh', out, path)).toEqual({ status: 0, output: '' });
        expect(describeTree(out).sort()).toEqual((await describeNode(root)).sort());
        rmSync(out, { recursive: true });
      }),
      { numRuns: 30 },
    );
  });
});

describe('U-Boot environment', () => {
  let disk: DiskFile;
  let config = '';
  beforeEach(() => {
    disk = new DiskFile(join(dir, 'env.img'), 8 * MiB);
    config = join(dir, 'fw_env.config');
    const lines = ENV.offsets.map(
      (offset) => `${disk.path} 0x${offset.toString(16)} 0x${ENV.size.toString(16)}\n`,
    );
    writeFileSync(config, lines.join(''));
    return () => disk[Symbol.dispose]();
  });
  const [first, second] = ENV.offsets;
  const copies = () => [disk.read(first, ENV.size), disk.read(second, ENV.size)] as const;
  const store = (copy: 0 | 1, bytes: Uint8Array) => disk.write([{ offset: ENV.offsets[copy], bytes }]);
  const values = new Map([
    ['hearth_slot', 'a'],
    ['note', 'ä value = with signs \\ and "quotes"'],
    ['tries', '3'],
  ]);

  test('fw_printenv prints what was written, from the copy that counts', () => {
    store(0, encodeEnv({ values: new Map([['old', 'yes']]), flags: 255 }, ENV.size));
    expect(run('fw_printenv', '-c', config).output).toBe('old=yes\n');
    const next = nextEnv(pickEnv(...copies()), values, ENV.size);
    expect(next.copy).toBe(1);
    store(next.copy, next.bytes);
    const printed = run('fw_printenv', '-c', config).output.trimEnd().split('\n').sort();
    expect(printed).toEqual([...values].map(([key, value]) => `${key}=${value}`));
  });

  test('what fw_setenv writes is read, the counter and the copy go on, and its turn follows ours', () => {
    store(0, encodeEnv({ values, flags: 1 }, ENV.size));
    store(1, encodeEnv({ values, flags: 0 }, ENV.size));
    expect(run('fw_setenv', '-c', config, 'tries', '2').output).toBe('');
    expect(pickEnv(...copies())).toEqual({
      ...{ copy: 1, flags: 2, problem: undefined },
      values: new Map([...values, ['tries', '2']]),
    });
    const next = nextEnv(pickEnv(...copies()), new Map([['x', '1']]), ENV.size);
    store(next.copy, next.bytes);
    expect(run('fw_setenv', '-c', config, 'y', '2').output).toBe('');
    expect(pickEnv(...copies())).toMatchObject({
      copy: 1,
      flags: 4,
      values: new Map([
        ['x', '1'],
        ['y', '2'],
      ]),
    });
  });

  test('P6: both agree on which copy counts after a torn write', () => {
    store(0, encodeEnv({ values: new Map([['v', 'old']]), flags: 8 }, ENV.size));
    const torn = encodeEnv({ values: new Map([['v', 'new']]), flags: 9 }, ENV.size).fill(0xff, 4096);
    store(1, torn);
    expect(run('fw_printenv', '-c', config, 'v').output).toBe('v=old\n');
    expect(pickEnv(...copies())).toMatchObject({ copy: 0, values: new Map([['v', 'old']]) });
    expect(() => decodeEnv(torn)).toThrow(/checksum/);
  });
});
