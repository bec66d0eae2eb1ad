import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { FormatError } from '../../../errors.ts';
import { readerOf } from '../../bytes.ts';
import type { DirNode, TreeNode } from '../../tree.ts';
import { writeSquashfs } from '../index.ts';
import { dir, file, noise, SAMPLE_BLOCK, sampleOptions, symlink, text } from '../sample.ts';
import { openSquashfs } from './index.ts';

const imageOf = async (tree: DirNode): Promise<Buffer> =>
  Buffer.concat((await writeSquashfs(tree, sampleOptions)).image);
const open = (image: Uint8Array) => openSquashfs(readerOf(image));
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function sample(): DirNode {
  const holes = [noise(SAMPLE_BLOCK, 4), Buffer.alloc(2 * SAMPLE_BLOCK), noise(9, 4)];
  return dir({
    bin: dir({ node: file(Buffer.concat([text(300_000, 1), noise(200_000, 1)]), { mode: 0o4755 }) }),
    dev: dir({
      null: { type: 'char', mode: 0o666, uid: 0, gid: 5, major: 1, minor: 3 },
      far: { type: 'block', mode: 0o600, uid: 0, gid: 0, major: 0xfff, minor: 0xfffff },
    }),
    empty: file(''),
    etc: dir({ passwd: file(text(500, 2)), group: file(text(400, 3), { uid: 1000, gid: 4_000_000_000 }) }),
    holes: file(Buffer.concat(holes)),
    many: dir(Array.from({ length: 700 }, (_, i) => [`größe-${i}`, file(text(i, i))])),
    'no-entries': dir({}),
    sh: symlink('../bin/node'),
  });
}

/** Every node by path, as the reader and the tree that was written both know it. */
function* nodes(node: TreeNode, path = '/'): Generator<[string, TreeNode]> {
  yield [path, node];
  if (node.type !== 'dir') return;
  for (const [name, child] of node.entries)
    yield* nodes(child, path === '/' ? `/${name}` : `${path}/${name}`);
}

describe('an image of our writer', () => {
  it('reads as the tree that it was made from', async () => {
    const tree = sample();
    const reader = await open(await imageOf(tree));
    const found = new Map([...reader.entries()].map((entry) => [entry.path, entry]));
    const wanted = [...nodes(tree)];
    expect(found.size).toBe(wanted.length);
    for (const [path, node] of wanted) {
      const { type, mode, uid, gid } = node;
      expect(found.get(path), path).toMatchObject({ type, mode, uid, gid, mtime: sampleOptions.mtime });
      if (node.type === 'symlink') expect(found.get(path)?.target).toBe(node.target);
      if (node.type === 'char' || node.type === 'block')
        expect(found.get(path)?.device).toEqual({ major: node.major, minor: node.minor });
      if (node.type !== 'file') continue;
      expect(found.get(path)?.size).toBe(node.content.size);
      expect(sha256(await reader.file(path)), path).toBe(node.content.sha256);
    }
  });

  it('says what each file takes: the shares add up to the data area', async () => {
    const image = await imageOf(sample());
    const reader = await open(image);
    const stored = [...reader.entries()].reduce((sum, entry) => sum + entry.stored, 0);
    // Superblock and compressor options lie before it. Shares are rounded.
    const area = reader.superblock.inodeTable - 102;
    expect(Math.abs(stored - area)).toBeLessThan(400);
    expect(reader.stat('/holes')?.stored).toBe(SAMPLE_BLOCK + 9);
  });

  it('finds what is asked for, and nothing else', async () => {
    const reader = await open(await imageOf(sample()));
    expect(reader.stat('/etc/passwd')).toMatchObject({ type: 'file', size: 500 });
    expect(reader.stat('/etc/shadow')).toBeUndefined();
    await expect(reader.file('/etc')).rejects.toThrow('there is no file /etc');
    await expect(reader.file('/holes', 1000)).rejects.toThrow('has 393225 bytes');
  });
});

describe('what is not an image', () => {
  const failure = async (change: (image: Buffer) => Buffer | undefined): Promise<FormatError> => {
    const image = await imageOf(dir({ a: dir({ b: file(text(99, 1)) }) }));
    const error = await open(change(image) ?? image).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(FormatError);
    return error as FormatError;
  };

  it.each([
    ['another magic', (i: Buffer) => void i.writeUInt32LE(1, 0), 'no squashfs image', 'byte 0'],
    ['another version', (i: Buffer) => void i.writeUInt16LE(3, 28), 'version 3.0', 'byte 28'],
    [
      'a strange block size',
      (i: Buffer) => void i.writeUInt32LE(100_000, 12),
      'block size of 100000',
      'byte 12',
    ],
    ['lz4', (i: Buffer) => void i.writeUInt16LE(5, 20), 'compressed with lz4', 'byte 20'],
    ['a table outside', (i: Buffer) => void i.writeBigUInt64LE(99_999n, 64), 'inode table', 'byte 64'],
    [
      'a number of 64 bits',
      (i: Buffer) => void i.writeBigUInt64LE(2n ** 63n, 40),
      'impossible number',
      'byte 40',
    ],
    ['a part of an image', (i: Buffer) => i.subarray(0, 150), 'too early', /^byte \d+$/],
    ['nothing', () => Buffer.alloc(0), 'ends 96 bytes too early', 'byte 0'],
  ])('%s is refused, with its place', async (_, change, message, where) => {
    const error = await failure(change as (image: Buffer) => Buffer | undefined);
    expect(error.code).toBe('bad-squashfs');
    expect(error.message).toContain(message);
    expect(error.where).toMatch(where);
  });
});

/** Images with raw metadata, so that a test can write into it. */
async function rawImage(tree: DirNode): Promise<Buffer> {
  const compress = async (block: Uint8Array) => block;
  return Buffer.concat((await writeSquashfs(tree, { ...sampleOptions, compress })).image);
}

describe('a hostile image', () => {
  it('with a directory inside itself is refused', async () => {
    const image = await rawImage(dir({ one: dir({ two: dir({ end: file('end') }) }) }));
    const at = image.indexOf('two') - 8;
    // The entry of /one/two gets place and number of /one.
    const one = image.indexOf('one') - 8;
    const header = at - 12;
    const oneNumber = image.readUInt32LE(one - 12 + 8) + image.readInt16LE(one + 2);
    image.writeUInt16LE(image.readUInt16LE(one), at);
    image.writeInt16LE(oneNumber - image.readUInt32LE(header + 8), at + 2);
    await expect(open(image)).rejects.toThrow('in two places: a loop');
  });

  it('with two inodes of one number is refused: a count of its files would miss one', async () => {
    const image = await rawImage(dir({ aa: file('1'), bb: file('2') }));
    const [a, b] = [image.indexOf('aa') - 8, image.indexOf('bb') - 8];
    const inode = Number(image.readBigUInt64LE(64)) + 2 + image.readUInt16LE(b);
    image.writeUInt32LE(image.readUInt32LE(a - 12 + 8) + image.readInt16LE(a + 2), inode + 12);
    image.writeInt16LE(image.readInt16LE(a + 2), b + 2);
    await expect(open(image)).rejects.toThrow(/two inodes with the number \d+ .*byte \d+/);
  });

  it.each([
    ['..', 'is not a file name'],
    ['a/', 'is not a file name'],
    ['b\0', 'not UTF-8'],
    ['\xff\xfe', 'not UTF-8'],
    ['cc', 'two entries named "cc"'],
  ])('with the name %j is refused', async (name, message) => {
    const image = await rawImage(dir({ aa: file('1'), cc: file('2') }));
    image.write(name, image.indexOf('aa'), 'latin1');
    await expect(open(image)).rejects.toThrow(message);
  });

  it('whose file claims a terabyte of blocks is refused before any is read', async () => {
    const image = await rawImage(dir({ holes: file(Buffer.alloc(2 * SAMPLE_BLOCK)) }));
    const inode = Number(image.readBigUInt64LE(64)) + 2;
    expect(image.readUInt16LE(inode)).toBe(9);
    image.writeBigUInt64LE(2n ** 45n, inode + 24);
    await expect(open(image)).rejects.toThrow('bytes of inodes and directories');
    image.writeBigUInt64LE(2n ** 64n - 1n, inode + 24);
    await expect(open(image)).rejects.toThrow('impossible number');
  });

  it('whose file claims more blocks than anything holds allocates nothing for it', async () => {
    const image = await rawImage(dir({ big: file(noise(SAMPLE_BLOCK, 1)) }));
    const inode = Number(image.readBigUInt64LE(64)) + 2;
    image.writeUInt32LE(0xffffffff, inode + 28);
    await expect(open(image)).rejects.toThrow(FormatError);
  });
});

describe('damage', () => {
  let image: Buffer;
  let good: Map<string, string>;
  beforeAll(async () => {
    image = await imageOf(sample());
    good = await contents(image);
  }, 60_000);

  async function contents(bytes: Uint8Array): Promise<Map<string, string>> {
    const reader = await open(bytes);
    const found = new Map<string, string>();
    for (const { path, type } of reader.entries())
      if (type === 'file') found.set(path, sha256(await reader.file(path)));
    return found;
  }

  /** Bits of the tables and the superblock matter most: half of the flips go there. */
  const place = (length: number, tables: number) =>
    fc.oneof(fc.nat(length - 1), fc.integer({ min: tables, max: length - 1 }), fc.nat(95));

  it('ends in a FormatError or in an answer, in bounded time, whatever bits turn', async () => {
    const tables = Number(image.readBigUInt64LE(64));
    const used = Number(image.readBigUInt64LE(40));
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(place(used, tables), fc.nat(7)), { minLength: 1, maxLength: 4 }),
        async (flips) => {
          const bad = Buffer.from(image);
          for (const [at, bit] of flips) bad.writeUInt8((bad[at] ?? 0) ^ (1 << bit), at);
          try {
            await contents(bad);
          } catch (error) {
            if (!(error instanceof FormatError)) throw error;
            expect(error.where).toMatch(/^byte \d+$/);
            refused++;
          }
        },
      ),
      { numRuns: 250 },
    );
    expect(refused).toBeGreaterThan(50);
  });

  it('that only cuts the image is always found', async () => {
    const used = Number(image.readBigUInt64LE(40));
    await fc.assert(
      fc.asyncProperty(fc.nat(used - 1), async (length) => {
        await expect(contents(image.subarray(0, length))).rejects.toThrow(FormatError);
      }),
      { numRuns: 50 },
    );
    expect((await contents(image.subarray(0, used))).size).toBe(good.size);
  });

  it('of metadata that says sizes and places at random', async () => {
    const raw = await rawImage(sample());
    const tables = Number(raw.readBigUInt64LE(64));
    const used = Number(raw.readBigUInt64LE(40));
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: tables, max: used - 4 }),
        fc.oneof(fc.constantFrom(0, 0xffffffff, 0x7fffffff, 0x80000000), fc.nat(0xffffffff)),
        async (at, value) => {
          const bad = Buffer.from(raw);
          bad.writeUInt32LE(value, at);
          await contents(bad).catch((error: unknown) => {
            if (!(error instanceof FormatError)) throw error;
          });
        },
      ),
      { numRuns: 250 },
    );
  });
});
