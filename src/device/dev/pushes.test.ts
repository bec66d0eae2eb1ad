import { expect, test } from 'vitest';
import { encodeFrame, encodeJson } from '../../update/transfer/frame.ts';
import { DEV_FRAME, MOST_CODE } from './frame.ts';
import { pushes } from './pushes.ts';

const PUSH = { sha256: 'ab'.repeat(32), size: 3, addons: [], config: {} };
const announced = encodeJson(DEV_FRAME.push, PUSH);
const code = (bytes: Uint8Array): Buffer => encodeFrame(DEV_FRAME.code, bytes);
const run = encodeFrame(DEV_FRAME.run, new Uint8Array());
const garbled = expect.objectContaining({ code: 'dev-garbled' });

async function all(...pieces: Uint8Array[]): Promise<string[]> {
  const seen: string[] = [];
  async function* source() {
    yield* pieces;
  }
  for await (const { push, deflated } of pushes(source()))
    seen.push(`${push.size}: ${Buffer.from(deflated).toString()}`);
  return seen;
}

test('one after the other, however they are cut on their way', async () => {
  const stream = Buffer.concat([
    ...[announced, code(Buffer.from('on')), code(Buffer.from('e')), run],
    ...[announced, code(Buffer.from('two')), run],
  ]);
  const bytes = Array.from(stream, (byte) => Uint8Array.of(byte));
  expect(await all(...bytes)).toEqual(['3: one', '3: two']);
});

test('code that is announced anew before its end is forgotten', async () => {
  expect(await all(announced, code(Buffer.from('one')), announced, code(Buffer.from('two')), run)).toEqual([
    '3: two',
  ]);
});

test('what was never announced is not run, nor what is none of it', async () => {
  await expect(all(code(Buffer.from('one')), run)).rejects.toEqual(garbled);
  await expect(all(encodeJson(DEV_FRAME.push, { ...PUSH, size: MOST_CODE + 1 }))).rejects.toEqual(garbled);
  await expect(all(encodeFrame(DEV_FRAME.started, new Uint8Array()))).rejects.toEqual(garbled);
});

test('a sender without end is stopped before the memory is', async () => {
  const piece = code(Buffer.alloc(1024 * 1024));
  const pieces = new Array<Buffer>(MOST_CODE / (1024 * 1024) + 1).fill(piece);
  await expect(all(announced, ...pieces)).rejects.toEqual(garbled);
});
