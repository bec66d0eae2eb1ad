import { describe, expect, it } from 'vitest';
import type { TreeNode } from '../tree.ts';
import { contentKey, FRAGMENT_LIMIT, layOut, type Unit } from './layout.ts';
import { dir, file, noise, SAMPLE_BLOCK, text } from './sample.ts';
import { walk } from './walk.ts';

function unitsOf(entries: Record<string, TreeNode>, last: string[] = [], plain: string[] = []): Unit[] {
  return layOut(walk(dir(entries)), SAMPLE_BLOCK, { last, plain }).units;
}
const paths = (units: Unit[]) => units.map(({ kind, files }) => [kind, ...files.map(({ path }) => path)]);

/** `count` files of 1,000 bytes each. */
function small(count: number): Record<string, TreeNode> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [`file-${i}`, file(noise(1000, i))]));
}

describe('layOut', () => {
  it('gives blocks of their own to files from the limit on, and packs the smaller ones', () => {
    const units = unitsOf({
      a: file('a'),
      b: file(text(FRAGMENT_LIMIT, 0)),
      c: file('c'),
      d: file(text(FRAGMENT_LIMIT - 1, 0)),
    });
    expect(paths(units)).toEqual([
      ['fragment', '/a', '/c', '/d'],
      ['file', '/b'],
    ]);
  });

  it('never fills a fragment block beyond the block size', () => {
    const sizes = (rest: number) =>
      unitsOf({ a: file(noise(65535, 1)), b: file(noise(65535, 2)), d: file(noise(rest, 3)) }).map(
        ({ size }) => size,
      );
    expect(sizes(2)).toEqual([SAMPLE_BLOCK]);
    expect(sizes(3)).toEqual([SAMPLE_BLOCK - 2, 3]);
  });

  it('stores the same content once and empty content not at all', () => {
    const big = text(200_000, 1);
    const { units, places } = layOut(
      walk(dir({ a: file('same'), b: file(big), c: file('same'), d: file(big), e: file('') })),
      SAMPLE_BLOCK,
      {},
    );
    expect(paths(units)).toEqual([
      ['fragment', '/a'],
      ['file', '/b'],
    ]);
    expect(places.get(contentKey(file('same').content))).toEqual({ unit: 0, offset: 0 });
    expect(places.has(contentKey(file('').content))).toBe(false);
  });

  it('lays out what changes often behind the rest, in blocks of its own', () => {
    const units = unitsOf(
      {
        etc: dir({ uuid: file('u'), motd: file('m') }),
        srv: dir({ app: dir({ x: file('x') }), apple: file('p') }),
      },
      ['/srv/app/', '/etc/uuid', '/not/there'],
    );
    expect(paths(units)).toEqual([
      ['fragment', '/etc/motd', '/srv/apple'],
      ['fragment', '/etc/uuid', '/srv/app/x'],
    ]);
  });

  it('lays out what is stored as it is at the very end, and marks it', () => {
    const units = unitsOf(
      { a: file('a'), last: file('l'), srv: dir({ 'app.mjs': file(text(FRAGMENT_LIMIT, 0)), x: file('x') }) },
      ['/last', '/srv'],
      ['/srv/app.mjs'],
    );
    expect(paths(units)).toEqual([
      ['fragment', '/a'],
      ['fragment', '/last', '/srv/x'],
      ['file', '/srv/app.mjs'],
    ]);
    expect(units.map(({ plain }) => plain)).toEqual([false, false, true]);
  });

  it('changes few fragment blocks when a file comes or goes early in the tree', () => {
    const before = unitsOf(small(3000));
    const after = unitsOf({ ...small(3000), 'a-new-one': file('new') });
    const known = new Set(paths(before).map(String));
    const changed = paths(after).filter((unit) => !known.has(String(unit)));
    expect(before.length).toBeGreaterThan(30);
    expect(changed.length).toBeLessThanOrEqual(3);
  });
});
