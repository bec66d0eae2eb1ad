/** What the kernel uses and unsquashfs does not: indexes of directories, link counts, parents. */
import { zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { DirNode } from '../tree.ts';
import { METADATA_BLOCK, METADATA_RAW } from './constants.ts';
import { writeSquashfs } from './index.ts';
import { dir, file, SAMPLE_BLOCK, sampleOptions } from './sample.ts';

/** A table read back: its content, and where in that each stored block starts. */
class StoredTable {
  readonly content: Buffer;
  readonly #blocks = new Map<number, number>();

  constructor(stored: Buffer) {
    const parts: Buffer[] = [];
    for (let at = 0; at < stored.length; ) {
      this.#blocks.set(at, parts.length * METADATA_BLOCK);
      const word = stored.readUInt16LE(at);
      const bytes = stored.subarray(at + 2, at + 2 + (word & ~METADATA_RAW));
      parts.push(word & METADATA_RAW ? bytes : zstdDecompressSync(bytes));
      at += 2 + bytes.length;
    }
    this.content = Buffer.concat(parts);
  }

  /** From a reference: a stored block's offset and a byte in the block. */
  at(start: number, offset: number): number {
    const block = this.#blocks.get(start);
    if (block === undefined) throw new Error(`no metadata block starts at ${start}`);
    return block + offset;
  }
}

async function tablesOf(tree: DirNode) {
  const { image } = await writeSquashfs(tree, sampleOptions);
  const bytes = Buffer.concat(image);
  const [idTable, inodes, directories, fragments] = [48, 64, 72, 80].map((at) =>
    Number(bytes.readBigUInt64LE(at)),
  );
  // The directory table ends where the first block of the table behind it starts.
  const next = Math.min(fragments ?? 0, idTable ?? 0);
  const root = Number(bytes.readBigUInt64LE(32));
  return {
    count: bytes.readUInt32LE(4),
    inodes: new StoredTable(bytes.subarray(inodes, directories)),
    directories: new StoredTable(bytes.subarray(directories, Number(bytes.readBigUInt64LE(next)))),
    root: { start: Math.floor(root / 65536), offset: root % 65536 },
  };
}

describe('the inode of a directory', () => {
  it('counts its links and names its parent', async () => {
    const { inodes, directories, root, count } = await tablesOf(
      dir({ a: dir({ deep: dir({}) }), b: file('b'), c: dir({}) }),
    );
    const top = inodes.at(root.start, root.offset);
    const type = inodes.content.readUInt16LE(top);
    expect(type).toBe(1);
    expect(inodes.content.readUInt32LE(top + 20)).toBe(4); // ".", "..", a, c
    expect(inodes.content.readUInt32LE(top + 28)).toBe(count + 1);

    const listing = directories.at(
      inodes.content.readUInt32LE(top + 16),
      inodes.content.readUInt16LE(top + 26),
    );
    const start = directories.content.readUInt32LE(listing + 4);
    const a = inodes.at(start, directories.content.readUInt16LE(listing + 12));
    expect(inodes.content.readUInt32LE(a + 12)).toBe(2); // its number
    expect(inodes.content.readUInt32LE(a + 20)).toBe(3);
    expect(inodes.content.readUInt32LE(a + 28)).toBe(1);
  });

  it('with a long listing has an index whose every entry leads to a header and its first name', async () => {
    const names = Array.from(
      { length: 3000 },
      (_, i) => `${i.toString(16).padStart(6, '0')}-${'x'.repeat(i % 100)}`,
    );
    const { inodes, directories, root } = await tablesOf(dir(names.map((name) => [name, file('')])));
    const { content } = inodes;
    const top = inodes.at(root.start, root.offset);
    expect(content.readUInt16LE(top)).toBe(8);
    const size = content.readUInt32LE(top + 20);
    const listing = directories.at(content.readUInt32LE(top + 24), content.readUInt16LE(top + 34));
    const count = content.readUInt16LE(top + 32);
    expect(count).toBe(Math.floor((size - 3) / METADATA_BLOCK));
    let at = top + 40;
    for (let i = 0; i < count; i++) {
      const length = content.readUInt32LE(at + 8) + 1;
      const name = content.toString('utf8', at + 12, at + 12 + length);
      const header = listing + content.readUInt32LE(at);
      // As the kernel goes there: by the block, and by the byte in it that the position implies.
      expect(directories.at(content.readUInt32LE(at + 4), header % METADATA_BLOCK)).toBe(header);
      expect(directories.content.toString('utf8', header + 20, header + 20 + length)).toBe(name);
      expect(names).toContain(name);
      at += 12 + length;
    }
  });
});

describe('the inode of a file', () => {
  it('with holes counts the bytes that are not stored', async () => {
    const { inodes } = await tablesOf(dir({ holes: file(Buffer.alloc(2 * SAMPLE_BLOCK + 5)) }));
    expect(inodes.content.readUInt16LE(0)).toBe(9);
    expect(inodes.content.readBigUInt64LE(24)).toBe(BigInt(2 * SAMPLE_BLOCK + 5));
    expect(inodes.content.readBigUInt64LE(32)).toBe(BigInt(2 * SAMPLE_BLOCK + 5));
  });
});
