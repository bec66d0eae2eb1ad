import { expect, test } from 'vitest';
import type { Chunk } from '../../archive/chunk-table.ts';
import { MAX_BASE } from './chunk-frame.ts';
import { applyPatch, baseOf, makePatch } from './patch.ts';

const MiB = 1024 * 1024;
const KiB = 1024;

/** Chunks of these sizes, named by what is in them. */
function chunks(...of: [name: string, size: number][]): Chunk[] {
  let offset = 0;
  return of.map(([name, size]) => {
    const sha256 = Buffer.alloc(32, name);
    const chunk = { offset, size, storedOffset: offset, storedSize: size, sha256, storedSha256: sha256 };
    offset += size;
    return chunk;
  });
}

test('a changed chunk has come from what lay between the same neighbours', () => {
  const old = chunks(['a', MiB], ['b', MiB], ['c', MiB]);
  expect(baseOf(1, chunks(['a', MiB], ['x', MiB], ['c', MiB]), old)).toEqual({
    offset: MiB - 128 * KiB,
    length: MiB + 256 * KiB,
  });
  expect(baseOf(0, chunks(['x', 10]), old)?.offset).toBe(0);
  expect(baseOf(0, chunks(['x', 10]), [])).toBeUndefined();
});

test('of what is too long to be held, the part that is as far from its beginning', () => {
  const many = (name: string): [string, number][] =>
    Array.from({ length: 20 }, (_, at): [string, number] => [`${name}${at}`, MiB]);
  const old = chunks(['a', MiB], ...many('old'), ['z', MiB]);
  const fresh = chunks(['a', MiB], ...many('new'), ['z', MiB]);
  for (const index of [1, 7, 20]) {
    const base = baseOf(index, fresh, old);
    expect(base?.length).toBe(MAX_BASE);
    const { offset = 0, length = 0 } = base ?? {};
    // Where it was when nothing has moved is in it.
    expect(offset).toBeLessThanOrEqual(index * MiB);
    expect(offset + length).toBeGreaterThanOrEqual((index + 1) * MiB);
  }
});

test('a difference gives the bytes again, and no more than it was said to give', async () => {
  const base = Buffer.from(Array.from({ length: 100_000 }, (_, at) => (at * at * 31 + (at >> 7)) & 0xff));
  const bytes = Buffer.concat([base.subarray(40_000), Buffer.from('one line'), base.subarray(0, 40_000)]);
  const patch = await makePatch(bytes, base);
  expect(patch.length).toBeLessThan(200);
  expect(Buffer.from(await applyPatch(patch, base, bytes.length)).equals(bytes)).toBe(true);
  await expect(applyPatch(patch, base, bytes.length - 1)).rejects.toThrow();
});
