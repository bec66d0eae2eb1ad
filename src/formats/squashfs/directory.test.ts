import { describe, expect, it } from 'vitest';
import { METADATA_BLOCK } from './constants.ts';
import { type Entry, listing } from './directory.ts';

function entry(name: string, inode: number, start = 0): Entry {
  return { name: Buffer.from(name), type: 'file', inode, start, offset: 0 };
}
function many(count: number, suffix = ''): Entry[] {
  return Array.from({ length: count }, (_, i) => entry(`${String(i).padStart(6, '0')}${suffix}`, i + 1));
}

/** Each header's place, first inode, and its entries' names and inodes. */
function read(bytes: Buffer) {
  const headers = [];
  for (let at = 0; at < bytes.length; ) {
    const count = bytes.readUInt32LE(at) + 1;
    const base = bytes.readUInt32LE(at + 8);
    const header = { at, start: bytes.readUInt32LE(at + 4), names: [] as string[], inodes: [] as number[] };
    at += 12;
    for (let i = 0; i < count; i++) {
      const length = bytes.readUInt16LE(at + 6) + 1;
      header.inodes.push(base + bytes.readInt16LE(at + 2));
      header.names.push(bytes.toString('utf8', at + 8, at + 8 + length));
      at += 8 + length;
    }
    headers.push(header);
  }
  return headers;
}

describe('listing', () => {
  it('is empty for an empty directory', () => {
    expect(listing([], 100, '/').bytes).toHaveLength(0);
  });

  it('puts at most 256 entries under a header', () => {
    const headers = read(listing(many(257), 0, '/').bytes);
    expect(headers.map(({ names }) => names.length)).toEqual([256, 1]);
  });

  it('starts a header where inodes lie in another metadata block or are numbered too far away', () => {
    const { bytes } = listing(
      [entry('a', 1), entry('b', 2, 77), entry('c', 32769, 77), entry('d', 32770, 77), entry('e', 2, 77)],
      0,
      '/',
    );
    const headers = read(bytes);
    expect(headers.map(({ start, names }) => [start, names.join('')])).toEqual([
      [0, 'a'],
      [77, 'bc'],
      [77, 'd'],
      [77, 'e'],
    ]);
    expect(headers.flatMap(({ inodes }) => inodes)).toEqual([1, 2, 32769, 32770, 2]);
  });

  it('indexes the first header of every further metadata block', () => {
    const offset = 8000;
    // So long that no header's 256 entries fit one block.
    const entries = many(5000, '-'.repeat(100));
    const { bytes, index } = listing(entries, offset, '/');
    const headers = read(bytes);
    const blockOf = (at: number) => Math.floor((offset + at) / METADATA_BLOCK);
    expect(headers.flatMap(({ names }) => names)).toEqual(entries.map(({ name }) => name.toString()));
    expect(index.length).toBe(blockOf(bytes.length - 1));
    const firsts = headers.filter(({ at }, i) => i > 0 && blockOf(at) !== blockOf(headers[i - 1]?.at ?? 0));
    expect(index.map(({ at, block, name }) => ({ at, block, name: name.toString() }))).toEqual(
      firsts.map(({ at, names }) => ({ at, block: blockOf(at), name: names[0] })),
    );
  });
});
