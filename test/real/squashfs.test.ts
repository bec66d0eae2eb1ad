/** Images judged by `unsquashfs`: what it extracts must be, in every respect, what was written. */
import { execFile } from 'node:child_process';
import { lstat, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/formats/squashfs/constants.ts';
import { type SquashfsOptions, writeSquashfs } from '../../src/formats/squashfs/index.ts';
import { FRAGMENT_LIMIT } from '../../src/formats/squashfs/layout.ts';
import {
  dir,
  file,
  noise,
  SAMPLE_BLOCK,
  sampleOptions,
  symlink,
  text,
} from '../../src/formats/squashfs/sample.ts';
import type { DirNode, TreeNode } from '../../src/formats/tree.ts';

const run = promisify(execFile);
/** Only root can extract owners, set-id bits and devices; others compare everything else, and these in a listing. */
const isRoot = process.getuid?.() === 0;
const MODES = isRoot ? 0o7777 : 0o777;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'squashfs-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function write(tree: DirNode, options: Partial<SquashfsOptions> = {}): Promise<string> {
  const { image } = await writeSquashfs(tree, { ...sampleOptions, ...options });
  const path = join(folder, 'image.squashfs');
  await writeFile(path, image);
  return path;
}

async function unsquashfs(...args: string[]): Promise<string> {
  const { stdout, stderr } = await run('unsquashfs', ['-no-progress', ...args], {
    maxBuffer: 2 ** 28,
    env: { ...process.env, TZ: 'UTC', LC_ALL: 'C.UTF-8' },
  });
  expect(stderr).toBe('');
  return stdout;
}

/** One line a node, by path: type, mode, owner, time, and content, target or device number. */
type Listing = Map<string, string>;

async function expected(node: TreeNode, path = '/', into: Listing = new Map()): Promise<Listing> {
  const common = [
    node.type,
    (node.mode & MODES).toString(8),
    isRoot ? `${node.uid}:${node.gid}` : '',
    sampleOptions.mtime,
  ];
  if (node.type === 'dir') {
    into.set(path, common.join(' '));
    for (const [name, child] of node.entries) await expected(child, join(path, name), into);
  } else if (node.type === 'file')
    into.set(path, [...common, node.content.size, node.content.sha256].join(' '));
  else if (node.type === 'symlink') into.set(path, [...common, node.target].join(' '));
  else if (isRoot) into.set(path, [...common, (BigInt(node.major) << 32n) | BigInt(node.minor)].join(' '));
  return into;
}

async function extracted(at: string, path = '/', into: Listing = new Map()): Promise<Listing> {
  const stat = await lstat(at);
  const common = (type: string) => [
    type,
    (stat.mode & MODES).toString(8),
    isRoot ? `${stat.uid}:${stat.gid}` : '',
    Math.trunc(stat.mtimeMs / 1000),
  ];
  if (stat.isDirectory()) {
    into.set(path, common('dir').join(' '));
    for (const name of await readdir(at)) await extracted(join(at, name), join(path, name), into);
  } else if (stat.isFile()) {
    const { content } = file(await readFile(at));
    into.set(path, [...common('file'), content.size, content.sha256].join(' '));
  } else if (stat.isSymbolicLink()) into.set(path, [...common('symlink'), await readlink(at)].join(' '));
  else
    into.set(path, [...common(stat.isBlockDevice() ? 'block' : 'char'), deviceNumber(stat.rdev)].join(' '));
  return into;
}

/** glibc's packing of a device number taken apart: major and minor have 12 and 20 bits here. */
function deviceNumber(rdev: number): bigint {
  const packed = BigInt(rdev);
  const major = (packed >> 8n) & 0xfffn;
  const minor = (packed & 0xffn) | ((packed >> 12n) & 0xfff00n);
  return (major << 32n) | minor;
}

async function expectRoundTrip(tree: DirNode, options: Partial<SquashfsOptions> = {}): Promise<void> {
  const image = await write(tree, options);
  const target = join(folder, 'root');
  try {
    await unsquashfs('-quiet', '-no-xattrs', '-dest', target, image);
    expect(await extracted(target)).toEqual(await expected(tree));
  } finally {
    await rm(target, { recursive: true, force: true });
  }
}

describe('unsquashfs reads', () => {
  it('an empty tree', () => expectRoundTrip(dir({}, { mode: 0o700 })));

  it('the superblock and the compressor options', async () => {
    const shown = await unsquashfs('-stat', await write(dir({ a: file('a') }), { compressorLevel: 19 }));
    expect(shown).toMatch(/valid SQUASHFS 4:0 superblock/);
    expect(shown).toMatch(/Tue Nov 14 22:13:20 2023/);
    expect(shown).toMatch(/Compression zstd\n\tcompression-level 19\n/);
    expect(shown).toMatch(/Block size 131072/);
    expect(shown).toMatch(/Xattrs are not stored/);
    expect(shown).toMatch(/Number of fragments 1\nNumber of inodes 2\nNumber of ids 1/);
  });

  it('owners, modes and device numbers up to their limits', async () => {
    const owner = { mode: 0o660, uid: 4_294_967_294, gid: 65536 };
    const tree = dir({
      null: { ...owner, type: 'char', major: 1, minor: 3 },
      sdb1: { ...owner, type: 'block', major: 8, minor: 17 },
      sudo: file('#!', { mode: 0o4755, uid: 0, gid: 27 }),
      tmp: dir({}, { mode: 0o1777 }),
    });
    const listed = await unsquashfs('-lln', await write(tree));
    const lines = listed.trimEnd().split('\n');
    expect(
      lines.map((line) => line.replace(/ 2023-11-14 22:13 squashfs-root/, '').replaceAll(/ +/g, ' ')),
    ).toEqual([
      'drwxr-xr-x 0/0 62',
      'crw-rw---- 4294967294/65536 1, 3/null',
      'brw-rw---- 4294967294/65536 8, 17/sdb1',
      '-rwsr-xr-x 0/27 2/sudo',
      'drwxrwxrwt 0/0 3/tmp',
    ]);
    if (!isRoot) return;
    // The listing of unsquashfs 4.5 shows eight bits of a minor number; what it makes is right.
    tree.entries.set('last', { ...owner, type: 'block', major: LIMITS.major, minor: LIMITS.minor });
    tree.entries.set('odd', { ...owner, type: 'char', major: 0x123, minor: 0x45678 });
    await expectRoundTrip(tree);
  });

  it('names and targets at their limits', async () => {
    await expectRoundTrip(
      dir({
        ['n'.repeat(255)]: file('n'),
        ['😀'.repeat(63)]: file('e'),
        'a\nb "c" \\ \t*': file('w'),
        link: symlink('t'.repeat(LIMITS.symlink)),
        'dangling → link': symlink('../ünïcode/😀'),
      }),
    );
    // No file system could take this one; the kernel reads it all the same.
    expect(await unsquashfs('-ls', await write(dir({ ['n'.repeat(256)]: file('') })))).toContain(
      'n'.repeat(256),
    );
  });

  const sizes = [
    0,
    1,
    FRAGMENT_LIMIT - 1,
    FRAGMENT_LIMIT,
    SAMPLE_BLOCK - 1,
    SAMPLE_BLOCK,
    SAMPLE_BLOCK + 1,
    3 * SAMPLE_BLOCK,
  ];
  it.each([
    ['text', text],
    ['noise', noise],
    ['zeros', (size: number) => Buffer.alloc(size)],
  ])('files of sizes around the boundaries: %s', async (_, content) => {
    await expectRoundTrip(dir(sizes.map((size, i) => [`size-${size}`, file(content(size, i))])));
  });

  it('holes at the start, in the middle and at the end', async () => {
    const [block, hole] = [noise(SAMPLE_BLOCK, 1), Buffer.alloc(SAMPLE_BLOCK)];
    await expectRoundTrip(
      dir({
        start: file(Buffer.concat([hole, block])),
        middle: file(Buffer.concat([block, hole, hole, block])),
        end: file(Buffer.concat([block, hole, hole.subarray(0, 100)])),
        part: file(Buffer.concat([block, hole.subarray(0, 5), block.subarray(0, 7)])),
      }),
    );
  });

  it('a fragment block of nothing but zeros', () => expectRoundTrip(dir({ zeros: file(Buffer.alloc(10)) })));

  it('the same content under many names, in and out of fragments', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `copy-${i}`);
    const big = text(SAMPLE_BLOCK + 5, 1);
    await expectRoundTrip(
      dir({
        big: dir(names.map((name) => [name, file(big)])),
        small: dir(names.map((name) => [name, file('small', { uid: name.length })])),
      }),
    );
  });

  it('the largest block size, and data that goes last', async () => {
    await expectRoundTrip(
      dir({
        app: dir({ 'app.mjs': file(text(900, 1)), node: file(text(3 * 2 ** 20 + 1, 2)) }),
        etc: dir({ x: file('x') }),
      }),
      { blockSize: 2 ** 20, last: ['/app'] },
    );
  });

  it('files that are stored as they are, in blocks and in a fragment, beside others', async () => {
    await expectRoundTrip(
      dir({
        app: dir({
          'app.mjs': file(text(2 ** 20 + 5, 1)),
          addon: file(text(200_000, 2)),
          zeros: file(Buffer.alloc(300_000)),
        }),
        etc: dir({ uuid: file('u'), x: file(text(9000, 3)) }),
        same: file(text(2 ** 20 + 5, 1)),
      }),
      { blockSize: 2 ** 20, last: ['/app'], plain: ['/app/app.mjs', '/app/zeros', '/etc'] },
    );
  });

  it('thousands of files of all kinds, in many metadata and fragment blocks', async () => {
    const folders = Array.from({ length: 60 }, (_, f): [string, TreeNode] => [
      `folder-${f}`,
      dir(
        Array.from({ length: 50 }, (_, i): [string, TreeNode] => [
          `file ${i} `.repeat(1 + (i % 20)),
          i % 7 === 0
            ? symlink(`../${'x'.repeat(i * 20)}`)
            : file(text((f * i) % 3000, f * 50 + i), { uid: f, gid: i }),
        ]),
      ),
    ]);
    await expectRoundTrip(dir(folders));
  });

  it('directories nested to the longest path', async () => {
    let tree = dir({ leaf: file('deep') });
    for (let i = 0; i < 1000; i++) tree = dir({ [`d${i % 10}`]: tree });
    const listed = await unsquashfs('-ls', await write(tree));
    expect(listed.trimEnd().split('\n').at(-1)).toMatch(/^squashfs-root(\/d\d){1000}\/leaf$/);
  });

  it('a directory of 65,536 entries', async () => {
    const names = Array.from({ length: 65536 }, (_, i) => `entry-${i.toString(16)}`);
    const tree = dir({
      big: dir(names.map((name, i) => [name, i % 2 === 0 ? symlink(name) : file('')])),
      z: file('after it'),
    });
    const image = await write(tree);
    const listed = (await unsquashfs('-ls', image)).trimEnd().split('\n');
    const prefix = 'squashfs-root';
    const sorted = names.toSorted().map((name) => `${prefix}/big/${name}`);
    expect(listed).toEqual([prefix, `${prefix}/big`, ...sorted, `${prefix}/z`]);
    expect(await unsquashfs('-cat', image, 'z')).toBe('after it');
  });
});

describe('unsquashfs reads any tree', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 80 })
    .map((text) => text.replaceAll(/[/\0]/g, '_'))
    .filter((text) => text.isWellFormed() && Buffer.byteLength(text) <= 255 && text !== '.' && text !== '..');
  const id = fc.oneof(fc.constantFrom(0, 1000), fc.nat(0xfffffffe));
  const owner = (modes: number[]) => fc.record({ mode: fc.constantFrom(...modes), uid: id, gid: id });
  const size = fc.oneof(
    { weight: 3, arbitrary: fc.nat(3000) },
    { weight: 1, arbitrary: fc.constantFrom(FRAGMENT_LIMIT - 1, FRAGMENT_LIMIT, 0) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: -1, max: 1 }))
        .map(([n, d]) => n * SAMPLE_BLOCK + d),
    },
  );
  const part = fc.tuple(
    fc.constantFrom<(size: number, seed: number) => Buffer>(text, noise, (n) => Buffer.alloc(n)),
    size,
    fc.nat(5),
  );
  const leaf: fc.Arbitrary<TreeNode> = fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .tuple(fc.array(part, { maxLength: 3 }), owner([0o644, 0o755, 0o4755, 0o2711, 0o600]))
        .map(([parts, common]) => file(Buffer.concat(parts.map(([make, n, seed]) => make(n, seed))), common)),
    },
    {
      weight: 1,
      arbitrary: fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 300 })
        .filter((target) => target.isWellFormed() && !target.includes('\0'))
        .map(symlink),
    },
    ...(isRoot
      ? [
          {
            weight: 1,
            arbitrary: fc.record({
              type: fc.constantFrom<'char' | 'block'>('char', 'block'),
              mode: fc.constantFrom(0o600, 0o666),
              uid: id,
              gid: id,
              major: fc.nat(LIMITS.major),
              minor: fc.nat(LIMITS.minor),
            }),
          },
        ]
      : []),
  );
  const { tree } = fc.letrec<{ node: TreeNode; tree: DirNode }>((tie) => ({
    node: fc.oneof({ depthSize: 'small', withCrossShrink: true }, leaf, tie('tree')),
    tree: fc
      .tuple(
        fc.uniqueArray(fc.tuple(name, tie('node')), { selector: ([text]) => text, maxLength: 12 }),
        owner([0o755, 0o700, 0o1777, 0o2775]),
      )
      .map(([entries, common]) => dir(entries, common)),
  }));

  it('with odd names, owners, sizes and contents', async () => {
    await fc.assert(
      fc.asyncProperty(tree, (root) => expectRoundTrip(root)),
      { numRuns: 30 },
    );
  });
});
