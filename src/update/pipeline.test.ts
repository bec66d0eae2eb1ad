import { expect, test } from 'vitest';
import { ahead, Behind, byTurns } from './pipeline.ts';

test('what follows is begun while one is used, so many at a time, and all come in order', async () => {
  const begun: number[] = [];
  const make = async (item: number): Promise<string> => {
    begun.push(item);
    // Later ones are done earlier.
    for (let turn = 0; turn < 10 - item; turn++) await Promise.resolve();
    return `made ${item}`;
  };
  const seen: [number, string, number][] = [];
  for await (const { item, made } of ahead([1, 2, 3, 4, 5], 3, make)) seen.push([item, made, begun.length]);
  expect(seen).toEqual([
    [1, 'made 1', 3],
    [2, 'made 2', 4],
    [3, 'made 3', 5],
    [4, 'made 4', 5],
    [5, 'made 5', 5],
  ]);
});

test('what cannot be made is thrown where it is its turn, and nowhere else', async () => {
  const make = async (item: number): Promise<number> => {
    if (item === 2) throw new Error('no second');
    return item;
  };
  const seen: number[] = [];
  const use = async (): Promise<void> => {
    for await (const { made } of ahead([1, 2, 3], 3, make)) seen.push(made);
  };
  await expect(use()).rejects.toThrow('no second');
  expect(seen).toEqual([1]);
  // Left before its turn: nobody is told, and no rejection is left over.
  for await (const _ of ahead([1, 2, 3], 3, make)) break;
});

test('one piece of work goes on behind, no more; its failure is told at the next', async () => {
  const first = Promise.withResolvers<void>();
  const second = Promise.withResolvers<void>();
  const behind = new Behind();
  await behind.begin(() => first.promise);
  let begun = false;
  const next = behind.begin(() => {
    begun = true;
    return second.promise;
  });
  await new Promise(setImmediate);
  expect(begun).toBe(false);
  first.resolve();
  await next;
  second.reject(new Error('disk full'));
  await expect(behind.begin(async () => {})).rejects.toThrow('disk full');
  await expect(behind.ended).rejects.toThrow('disk full');
});

test('places come by turns, and grow when they must', () => {
  const memory = byTurns(2);
  const [a, b, c, d, e] = [10, 10, 8, 20, 10].map((length) => memory(length));
  expect(c?.buffer).toBe(a?.buffer);
  expect(c).toHaveLength(8);
  expect(d?.buffer).not.toBe(b?.buffer);
  expect(e?.buffer).toBe(a?.buffer);
});
