import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { cpioBytes, writeCpio } from './cpio.ts';
import type { Content, DirNode, FileNode, TreeNode } from './tree.ts';

const content = (text: string): Content => ({
  size: Buffer.byteLength(text),
  sha256: createHash('sha256').update(text).digest('hex'),
  read: async () => Buffer.from(text),
});
const owner = { uid: 0, gid: 0 };
const file = (text: string): FileNode => ({ type: 'file', mode: 0o644, ...owner, content: content(text) });
const dir = (entries: Record<string, TreeNode>): DirNode => ({
  ...{ type: 'dir', mode: 0o755, ...owner },
  entries: new Map(Object.entries(entries)),
});

test('the order in which a tree was made makes no difference', async () => {
  const one = await cpioBytes(dir({ b: file('B'), a: dir({ z: file('Z'), y: file('Y') }) }));
  const other = await cpioBytes(dir({ a: dir({ y: file('Y'), z: file('Z') }), b: file('B') }));
  expect(Buffer.compare(one, other)).toBe(0);
  expect(one.length % 512).toBe(0);
});

test('an empty tree is a trailer only', async () => {
  const bytes = await cpioBytes(dir({}));
  expect(bytes.length).toBe(512);
  expect(Buffer.from(bytes.subarray(110, 121)).toString()).toBe('TRAILER!!!\0');
});

test('a file is read when its turn comes, not before', async () => {
  const read: string[] = [];
  const lazy = (name: string): FileNode => ({
    ...file(name),
    content: {
      ...content(name),
      read: async () => {
        read.push(name);
        return Buffer.from(name);
      },
    },
  });
  const chunks = writeCpio(dir({ a: lazy('a'), b: lazy('b') }));
  expect(read).toEqual([]);
  await chunks.next();
  expect(read).toEqual(['a']);
  for await (const chunk of chunks) expect(chunk).toBeInstanceOf(Uint8Array);
  expect(read).toEqual(['a', 'b']);
});

test.each([
  ['a name with a slash', dir({ 'a/b': file('') }), /"a\/b" is no file name/],
  ['a way up', dir({ sub: dir({ '..': file('') }) }), /"\.\." is no file name \(sub\)/],
  ['the name of the trailer', dir({ 'TRAILER!!!': file('') }), /ends the archive/],
  [
    'a file of another size than it says',
    dir({ a: { ...file('x'), content: { ...content('x'), size: 2 } } }),
    /has 1 bytes \(a\)/,
  ],
  ['a path that the kernel would skip', dir({ ['x'.repeat(4096)]: file('') }), /1 bytes too long/],
  ['a user beyond 32 bits', dir({ a: { ...file(''), uid: 2 ** 32 } }), /4294967296 does not fit \(a\)/],
])('refuses %s', async (_, tree, message) => {
  await expect(cpioBytes(tree)).rejects.toThrow(message);
});
