import { describe, expect, it } from 'vitest';
import { FormatError } from '../../errors.ts';
import type { TreeNode } from '../tree.ts';
import { dir, file, symlink } from './sample.ts';
import { Ids, walk } from './walk.ts';

function failure(entries: Record<string, TreeNode>): FormatError {
  try {
    new Ids(walk(dir({ etc: dir(entries) })));
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
  throw new Error('nothing was wrong');
}

describe('walk', () => {
  it('goes depth first, bytewise by name, whatever the order of insertion', () => {
    const tree = dir({
      z: file('1'),
      '😀': file('2'),
      '\uff5e': file('3'),
      a: dir({ c: file('4'), b: file('5') }),
      Z: file('6'),
    });
    // UTF-16 order would put the emoji before U+FF5E.
    expect(walk(tree).map(({ path }) => path)).toEqual([
      '/',
      '/Z',
      '/a',
      '/a/b',
      '/a/c',
      '/z',
      '/\uff5e',
      '/😀',
    ]);
  });

  it('numbers the inodes from 1 and knows the parents', () => {
    const items = walk(dir({ a: dir({ b: file('') }) }));
    expect(items.map(({ number, parent }) => [number, parent?.number])).toEqual([
      [1, undefined],
      [2, 1],
      [3, 2],
    ]);
  });

  it.each(['', '.', '..', 'a/b', 'a\0b', 'half \ud800', 'n'.repeat(257), '€'.repeat(86)])(
    'refuses the name %j',
    (name) => {
      const error = failure({ [name]: file('') });
      expect(error.code).toBe('bad-squashfs');
      expect(error.where).toBe(`/etc/${name}`);
    },
  );

  it.each(['n'.repeat(256), '€'.repeat(85), ' ', '...', '\n', '\\'])('takes the name %j', (name) => {
    expect(walk(dir({ [name]: file('') }))).toHaveLength(2);
  });

  it.each(['', 'a\0b', 'half \udfff', 't'.repeat(4096)])('refuses the symlink target %j', (target) => {
    expect(failure({ link: symlink(target) }).where).toBe('/etc/link');
  });

  const owner = { mode: 0o644, uid: 0, gid: 0 };
  it.each<[string, TreeNode]>([
    ['mode', { ...file(''), mode: 0o10000 }],
    ['mode', { ...file(''), mode: 1.5 }],
    ['uid', { ...file(''), uid: -1 }],
    ['gid', { ...file(''), gid: 0xffffffff }],
    ['major number', { type: 'char', ...owner, major: 4096, minor: 0 }],
    ['minor number', { type: 'block', ...owner, major: 0, minor: 0x100000 }],
    ['size', { ...file(''), content: { ...file('').content, size: -1 } }],
    ['SHA-256', { ...file(''), content: { ...file('').content, sha256: 'ABC' } }],
  ])('refuses a wrong %s', (what, node) => {
    const error = failure({ node });
    expect(error.message).toContain(what);
    expect(error.where).toBe('/etc/node');
  });

  it('refuses a path that no program could open, and so a tree that contains itself', () => {
    const tree = dir({ etc: dir({}) });
    tree.entries.set('loop', tree);
    expect(() => walk(tree)).toThrow(/a path of 4100 bytes/);
  });
});

describe('Ids', () => {
  it('lists each id once', () => {
    const ids = new Ids(walk(dir({ a: file('', { uid: 5, gid: 7 }), b: file('', { uid: 7, gid: 0 }) })));
    expect(ids.list).toEqual([0, 5, 7]);
    expect(ids.indexOf(7)).toBe(2);
  });

  it('holds 65,535 ids and no more', () => {
    const files = (count: number) =>
      Array.from({ length: count }, (_, i): [string, TreeNode] => [
        `f${String(i).padStart(5, '0')}`,
        file('', { uid: i }),
      ]);
    expect(new Ids(walk(dir(files(65535)))).list).toHaveLength(65535);
    expect(failure(Object.fromEntries(files(65536)))).toMatchObject({ where: '/etc/f65535' });
  });
});
