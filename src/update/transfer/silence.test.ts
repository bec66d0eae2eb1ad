import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { neverSilent } from './silence.ts';

test('pieces come as they are, to the end, and the source is told of it', async () => {
  let told = false;
  async function* source() {
    try {
      yield* [1, 2, 3];
    } finally {
      told = true;
    }
  }
  const all: number[] = [];
  for await (const piece of neverSilent(source(), 60_000)) all.push(piece);
  expect(all).toEqual([1, 2, 3]);
  for await (const _ of neverSilent(source(), 60_000)) break;
  expect(told).toBe(true);
});

test('what goes wrong in the source is told as it is', async () => {
  const source = new PassThrough();
  source.destroy(new Error('no such luck'));
  await expect(neverSilent(source, 60_000).next()).rejects.toThrow('no such luck');
});

test('a source that says nothing any more is given up, and closed', async () => {
  const source = new PassThrough();
  source.write('the beginning');
  const pieces = neverSilent(source, 20);
  expect(String((await pieces.next()).value)).toBe('the beginning');
  await expect(pieces.next()).rejects.toMatchObject({ code: 'transfer-silent' });
  // A stream hears of it when it is ended, at the latest.
  const closed = once(source, 'close');
  source.end();
  await closed;
});
