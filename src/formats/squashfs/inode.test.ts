import { describe, expect, it } from 'vitest';
import { type DirData, deviceInode, dirInode, type FileData, fileInode } from './inode.ts';

const head = { mode: 0o755, uid: 0, gid: 1, mtime: 2, number: 3 };
const typeOf = (inode: Buffer) => inode.readUInt16LE(0);

describe('dirInode', () => {
  const data: DirData = { start: 1, offset: 2, listing: 0, links: 2, parent: 1, index: [] };
  it('is the short one while the listing and its three extra bytes fit 16 bits', () => {
    const short = dirInode(head, { ...data, listing: 65532 });
    expect([typeOf(short), short.readUInt16LE(24)]).toEqual([1, 65535]);
    const long = dirInode(head, { ...data, listing: 65533 });
    expect([typeOf(long), long.readUInt32LE(20)]).toEqual([8, 65536]);
  });
});

describe('fileInode', () => {
  const data: FileData = { size: 1, start: 0, blockSizes: [1], sparse: 0, fragment: undefined };
  it.each<[string, Partial<FileData>, number]>([
    ['small and early', { start: 0xffffffff, size: 0xffffffff }, 2],
    ['starting behind 4 GiB', { start: 0x100000000 }, 9],
    ['larger than 4 GiB', { size: 0x100000000 }, 9],
    ['with holes', { sparse: 1 }, 9],
  ])('of a file %s', (_, change, type) => {
    const changed = { ...data, ...change };
    const inode = fileInode(head, changed);
    expect(typeOf(inode)).toBe(type);
    const start = type === 9 ? Number(inode.readBigUInt64LE(16)) : inode.readUInt32LE(16);
    const size = type === 9 ? Number(inode.readBigUInt64LE(24)) : inode.readUInt32LE(28);
    expect([start, size]).toEqual([changed.start, changed.size]);
  });
});

describe('deviceInode', () => {
  it('packs the numbers as Linux does', () => {
    expect(deviceInode('char', head, 0x123, 0x45678).readUInt32LE(20)).toBe(0x45612378);
    expect(deviceInode('block', head, 0xfff, 0xfffff).readUInt32LE(20)).toBe(0xffffffff);
  });
});
