import { createHash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { FormatError } from '../../errors.ts';
import type { DirNode } from '../tree.ts';
import { NONE_64 } from './constants.ts';
import { type BlockCache, type Squashfs, type SquashfsOptions, writeSquashfs } from './index.ts';
import { dir, file, noise, SAMPLE_BLOCK, sampleOptions, symlink, text } from './sample.ts';

const bytesOf = ({ image }: Squashfs) => Buffer.concat(image);
const write = async (tree: DirNode, options: Partial<SquashfsOptions> = {}) =>
  bytesOf(await writeSquashfs(tree, { ...sampleOptions, ...options }));

/** A tree with large and small files, holes, duplicates; `onRead` learns which contents are read. */
function sample(onRead: (name: string) => void = () => {}): DirNode {
  const read = (name: string, bytes: Uint8Array) => file(bytes, {}, () => onRead(name));
  return dir({
    bin: dir({
      node: read('node', Buffer.concat([text(300_000, 1), noise(200_000, 1)])),
      sh: symlink('node'),
    }),
    etc: dir({ passwd: read('passwd', text(500, 2)), group: read('group', text(400, 3)) }),
    holes: read(
      'holes',
      Buffer.concat([noise(SAMPLE_BLOCK, 4), Buffer.alloc(2 * SAMPLE_BLOCK), noise(9, 4)]),
    ),
    srv: dir({
      app: dir({ 'app.mjs': read('app', text(3000, 5)), 'node-copy': read('copy', text(500, 2)) }),
    }),
  });
}

class MemoryCache implements BlockCache {
  readonly values = new Map<string, Uint8Array>();
  async get(key: string): Promise<Uint8Array | undefined> {
    return this.values.get(key);
  }
  async put(key: string, value: Uint8Array): Promise<void> {
    this.values.set(key, value);
  }
}

it('tells how far it is: every byte of content once, compressed or from the cache', async () => {
  const cache = new MemoryCache();
  for (const round of ['compressed', 'cached']) {
    const told: [number, number][] = [];
    await write(sample(), { cache, onProgress: (done, total) => told.push([done, total]) });
    const total = 500_000 + 3 * SAMPLE_BLOCK + 9 + 500 + 400 + 3000;
    expect(told.at(-1), round).toEqual([total, total]);
    expect(told.every(([done], i) => done > (told[i - 1]?.[0] ?? 0))).toBe(true);
    expect(told.length).toBeGreaterThan(2);
  }
});

describe('the image', () => {
  it('starts with a superblock and the compressor options, and is padded to 4096 bytes', async () => {
    const { image, size } = await writeSquashfs(sample(), sampleOptions);
    const bytes = Buffer.concat(image);
    expect(bytes.length).toBe(size);
    expect(size % 4096).toBe(0);
    expect(bytes.toString('latin1', 0, 4)).toBe('hsqs');
    expect(bytes.readUInt32LE(4)).toBe(12); // inodes
    expect(bytes.readUInt32LE(8)).toBe(sampleOptions.mtime);
    expect(bytes.readUInt32LE(12)).toBe(SAMPLE_BLOCK);
    expect(bytes.readUInt16LE(20)).toBe(6); // zstd
    expect(bytes.readUInt16LE(22)).toBe(17); // log2 of the block size
    expect(bytes.readUInt16LE(28)).toBe(4); // version
    const used = Number(bytes.readBigUInt64LE(40));
    expect(bytes.subarray(used).every((byte) => byte === 0)).toBe(true);
    expect(size - used).toBeLessThan(4096);
    expect([...bytes.subarray(96, 102)]).toEqual([4, 0x80, 1, 0, 0, 0]);
  });

  it('of an empty tree has no fragment table', async () => {
    const bytes = await write(dir({}));
    expect(bytes.readUInt32LE(16)).toBe(0);
    expect(bytes.readBigUInt64LE(80)).toBe(NONE_64);
  });

  it('may be cut where a block or table starts', async () => {
    const big = Buffer.concat([
      text(2 * SAMPLE_BLOCK, 1),
      Buffer.alloc(SAMPLE_BLOCK),
      text(SAMPLE_BLOCK + 1, 1),
    ]);
    const tree = dir({ big: file(big), small: file(text(1000, 2)) });
    const squashfs = await writeSquashfs(tree, sampleOptions);
    const bytes = bytesOf(squashfs);
    const { boundaries } = squashfs;
    expect(boundaries).toEqual(boundaries.toSorted((a, b) => a - b));
    const tables = [64, 72].map((field) => Number(bytes.readBigUInt64LE(field)));
    // Three blocks that compress (not the hole), a raw one of one byte, a fragment block; inodes, directories; fragments, ids.
    expect(boundaries).toHaveLength(5 + 2 + 2);
    expect(boundaries.slice(5, 7)).toEqual(tables);
    const zstd = boundaries.map((at) => bytes.readUInt32LE(at) === 0xfd2fb528);
    expect(zstd).toEqual([true, true, true, false, true, false, false, false, false]);
  });

  it('does not depend on the order in which names were added', async () => {
    const turned = (tree: DirNode): DirNode => ({
      ...tree,
      entries: new Map(
        [...tree.entries]
          .toReversed()
          .map(([name, node]) => [name, node.type === 'dir' ? turned(node) : node]),
      ),
    });
    expect(await write(turned(sample()))).toEqual(await write(sample()));
  });

  it('does not depend on the order in which blocks are done', async () => {
    const waiting: (() => void)[] = [];
    // Ends calls in the reverse order of their start, one a turn.
    const compress = async (block: Uint8Array) => {
      await new Promise<void>((resolve) => {
        waiting.push(resolve);
        setImmediate(() => waiting.pop()?.());
      });
      return sampleOptions.compress(block);
    };
    expect(await write(sample(), { compress })).toEqual(await write(sample()));
  });

  it('depends on the time stamp, the block size and the level', async () => {
    const images = [
      await write(sample()),
      await write(sample(), { mtime: 1 }),
      await write(sample(), { blockSize: 2 * SAMPLE_BLOCK }),
      await write(sample(), { compressorLevel: 2 }),
    ];
    expect(new Set(images.map((bytes) => bytes.toString('latin1'))).size).toBe(4);
  });

  it('stores contents that do not shrink as they are, and holes not at all', async () => {
    const content = noise(SAMPLE_BLOCK, 1);
    const bytes = await write(dir({ noise: file(content), hole: file(Buffer.alloc(100 * SAMPLE_BLOCK)) }));
    expect(bytes.indexOf(content)).toBe(102);
    expect(bytes.length).toBeLessThan(SAMPLE_BLOCK + 8192);
  });

  it('calls compress() for at most eight blocks at once', async () => {
    let now = 0;
    let most = 0;
    const compress = async (block: Uint8Array) => {
      most = Math.max(most, ++now);
      const frame = await sampleOptions.compress(block);
      now--;
      return frame;
    };
    const entries = Array.from({ length: 4 }, (_, i): [string, ReturnType<typeof file>] => [
      `big-${i}`,
      file(text(10 * SAMPLE_BLOCK, i)),
    ]);
    await write(dir(entries), { compress });
    expect(most).toBe(8);
  });

  it('names the files that take most of it', async () => {
    const { largest } = await writeSquashfs(sample(), sampleOptions);
    expect(largest.map(({ path }) => path).slice(0, 2)).toEqual(['/bin/node', '/holes']);
    expect(largest[0]?.size).toBe(500_000);
    expect(largest[0]?.stored).toBeGreaterThan(200_000);
    expect(largest[0]?.stored).toBeLessThan(250_000);
  });

  it('keeps every byte of data before an edited file in place', async () => {
    const tree = (app: string) => {
      const root = sample();
      root.entries.set('etc', dir({ hosts: file('localhost'), uuid: file(app) }));
      root.entries.set('app', dir({ 'app.mjs': file(`console.log('${app}')`) }));
      return root;
    };
    const last = ['/app', '/etc/uuid'];
    const before = await writeSquashfs(tree('one'), { ...sampleOptions, last });
    const after = await writeSquashfs(tree('two, longer'), { ...sampleOptions, last });
    // The last data block is the only one that may differ: behind it are the four tables.
    const end = before.boundaries.at(-5) ?? 0;
    expect(end).toBeGreaterThan(SAMPLE_BLOCK);
    expect(after.boundaries.at(-5)).toBe(end);
    expect(bytesOf(after).subarray(96, end)).toEqual(bytesOf(before).subarray(96, end));
  });
});

it('stores what is to be plain byte for byte, without the cache, and all else as ever', async () => {
  const tree = (app: Uint8Array) => {
    const root = sample();
    root.entries.set('app.mjs', file(app));
    root.entries.set('uuid', file('a-uuid'));
    return root;
  };
  const plain = ['/app.mjs', '/uuid'];
  const cache = new MemoryCache();
  const app = text(300_000, 9);
  const image = await writeSquashfs(tree(app), { ...sampleOptions, plain, cache });
  const bytes = Buffer.from(bytesOf(image));
  const at = bytes.indexOf(app);
  expect(at).toBeGreaterThan(0);
  expect(bytes.indexOf('a-uuid')).toBe(at + app.length);
  // Nothing before it is another's.
  const other = await writeSquashfs(tree(text(310_000, 10)), { ...sampleOptions, plain, cache });
  expect(bytesOf(other).subarray(96, at)).toEqual(bytesOf(image).subarray(96, at));
  const kept = cache.values.size;
  await writeSquashfs(sample(), { ...sampleOptions, cache });
  expect(cache.values.size).toBe(kept);
});

describe('the cache', () => {
  it('spares reading, and the image stays the same', async () => {
    const cache = new MemoryCache();
    const reads: string[] = [];
    const tree = () => sample((name) => reads.push(name));
    const plain = await write(sample());
    expect(await write(tree(), { cache })).toEqual(plain);
    expect(reads.toSorted()).toEqual(['app', 'group', 'holes', 'node', 'passwd']);
    expect(await write(tree(), { cache })).toEqual(plain);
    expect(reads).toHaveLength(5);
  });

  it('is keyed on everything that the blocks depend on, in names that files can have', async () => {
    const cache = new MemoryCache();
    const tree = dir({ big: file(text(SAMPLE_BLOCK, 1)) });
    for (const options of [
      {},
      { blockSize: 2 * SAMPLE_BLOCK },
      { compressorLevel: 2 },
      { compressorVersion: '1.5.7/x' },
    ])
      await write(tree, { ...options, cache });
    expect(cache.values.size).toBe(4);
    for (const key of cache.values.keys()) expect(key).toMatch(/^[0-9A-Za-z._-]{1,200}$/);
  });

  it('knows fragment blocks of the same sizes by their contents', async () => {
    const cache = new MemoryCache();
    await write(dir({ a: file('one') }), { cache });
    expect(await write(dir({ a: file('two') }), { cache })).toEqual(await write(dir({ a: file('two') })));
  });

  it.each<[string, (value: Uint8Array) => Uint8Array]>([
    ['truncated', (value) => value.subarray(0, value.length - 1)],
    ['empty', () => new Uint8Array()],
    ['changed', (value) => value.map((byte, i) => (i === value.length - 1 ? byte ^ 1 : byte))],
  ])('is not trusted when an entry is %s, and is mended', async (_, damage) => {
    const cache = new MemoryCache();
    const plain = await write(sample(), { cache });
    const whole = new Map(cache.values);
    for (const [key, value] of whole) cache.values.set(key, damage(value));
    expect(await write(sample(), { cache })).toEqual(plain);
    expect(cache.values).toEqual(whole);
  });

  it('is not trusted when entries are swapped', async () => {
    const cache = new MemoryCache();
    const tree = () => dir({ a: file(noise(SAMPLE_BLOCK, 1)), b: file(noise(SAMPLE_BLOCK, 2)) });
    const plain = await write(tree(), { cache });
    const keys = [...cache.values.keys()];
    for (const [i, value] of [...cache.values.values()].toReversed().entries())
      cache.values.set(keys[i] ?? '', value);
    expect(await write(tree(), { cache })).toEqual(plain);
  });

  it('gives its own failure to the caller, after everything under way has ended', async () => {
    const cache = new MemoryCache();
    cache.put = () => Promise.reject(new Error('disk full'));
    await expect(write(sample(), { cache })).rejects.toThrow('disk full');
  });
});

describe('writeSquashfs refuses', () => {
  it.each([
    ['blockSize', { blockSize: 65536 }],
    ['blockSize', { blockSize: 2097152 }],
    ['blockSize', { blockSize: 200_000 }],
    ['mtime', { mtime: -1 }],
    ['mtime', { mtime: 0x100000000 }],
    ['mtime', { mtime: 1.5 }],
    ['compressorLevel', { compressorLevel: 0 }],
    ['compressorLevel', { compressorLevel: 23 }],
  ])('a wrong %s', async (where, options) => {
    await expect(write(dir({}), options)).rejects.toMatchObject({ code: 'bad-squashfs', where });
  });

  it('content that is not what was announced, and caches none of it', async () => {
    const node = file('one');
    const sha256 = createHash('sha256').update('two').digest('hex');
    for (const content of [
      { ...node.content, sha256 },
      { ...node.content, size: 2 },
    ]) {
      const cache = new MemoryCache();
      const written = write(dir({ etc: dir({ f: { ...node, content } }) }), { cache });
      await expect(written).rejects.toBeInstanceOf(FormatError);
      await expect(written).rejects.toMatchObject({ where: '/etc/f' });
      expect(cache.values.size).toBe(0);
    }
  });

  it('frames that a kernel could not decompress', async () => {
    const compress = async (block: Uint8Array) => {
      const frame = zstdCompressSync(block);
      // The descriptor of a frame with a window of 8 MiB and no size.
      return Buffer.concat([frame.subarray(0, 4), Buffer.from([0, 0x68]), frame.subarray(6)]);
    };
    await expect(write(sample(), { compress })).rejects.toThrow(/window of 8388608 bytes/);
  });
});
