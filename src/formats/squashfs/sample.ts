/** Trees and contents for the tests of this folder and of test/real. */
import { createHash } from 'node:crypto';
import type { DirNode, FileNode, SymlinkNode, TreeNode } from '../tree.ts';
import { type SquashfsOptions, zstdCompressor } from './index.ts';

/** The smallest block size: tests cross block boundaries with the least content. */
export const SAMPLE_BLOCK = 131072;

/** A fast level. */
export const sampleOptions: SquashfsOptions = {
  blockSize: SAMPLE_BLOCK,
  mtime: 1_700_000_000,
  compress: zstdCompressor(1),
  compressorLevel: 1,
};

export type Owner = Partial<Pick<FileNode, 'mode' | 'uid' | 'gid'>>;

export function file(bytes: Uint8Array | string, owner: Owner = {}, onRead = () => {}): FileNode {
  const content = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  const read = async () => {
    onRead();
    return content;
  };
  const sha256 = createHash('sha256').update(content).digest('hex');
  return {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    ...owner,
    content: { size: content.length, sha256, read },
  };
}

export function dir(
  entries: Iterable<[string, TreeNode]> | Record<string, TreeNode>,
  owner: Owner = {},
): DirNode {
  const list = Symbol.iterator in entries ? entries : Object.entries(entries);
  return { type: 'dir', mode: 0o755, uid: 0, gid: 0, ...owner, entries: new Map(list) };
}

export function symlink(target: string): SymlinkNode {
  return { type: 'symlink', mode: 0o777, uid: 0, gid: 0, target };
}

/** Bytes that no compressor shrinks, the same for the same seed. */
export function noise(size: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(size / 4));
  let state = (seed + 1) * 0x9e3779b1;
  for (let i = 0; i < words.length; i++) {
    // xorshift32
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return Buffer.from(words.buffer, 0, size);
}

/** Bytes that compress well, the same for the same seed. */
export function text(size: number, seed: number): Buffer {
  return Buffer.alloc(size, `line ${seed} of a text that repeats itself\n`);
}
