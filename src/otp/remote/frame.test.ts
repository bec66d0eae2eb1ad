import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeFrame, encodeStream, FRAME, type Frame, FrameReader, MAX_PAYLOAD } from './frame.ts';

const types = fc.constantFrom(...Object.values(FRAME));
const frames = fc.array(fc.record({ type: types, payload: fc.uint8Array({ maxLength: 300 }) }));

/** Cut at those places, as a socket may. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const at = [0, ...places.map((each) => each % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

test('frames come out as they went in, wherever they are cut', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat()), (sent, places) => {
      const reader = new FrameReader();
      const bytes = Buffer.concat(sent.map(({ type, payload }) => encodeFrame(type, payload)));
      const read = cut(bytes, places).flatMap((piece): Frame[] => reader.push(piece) ?? []);
      expect(read.map(({ type, payload }) => ({ type, payload: Uint8Array.from(payload) }))).toEqual(sent);
    }),
  );
});

test('a stream of any length goes in frames of at most MAX_PAYLOAD', () => {
  const bytes = Buffer.alloc(2 * MAX_PAYLOAD + 7, 'abc');
  const read = new FrameReader().push(encodeStream(FRAME.output, bytes)) ?? [];
  expect(read.map(({ payload }) => payload.length)).toEqual([MAX_PAYLOAD, MAX_PAYLOAD, 7]);
  expect(Buffer.concat(read.map(({ payload }) => payload)).equals(bytes)).toBe(true);
});

test('what is no frame is refused as soon as its header says so, for good', () => {
  const unknown = Buffer.from([99, 0, 0, 0, 0]);
  const huge = Buffer.from([FRAME.input, 0, 1, 0, 1]);
  for (const bad of [unknown, huge]) {
    const reader = new FrameReader();
    expect(reader.push(encodeFrame(FRAME.input))).toHaveLength(1);
    expect(reader.push(bad)).toBeUndefined();
    expect(reader.push(encodeFrame(FRAME.input))).toBeUndefined();
  }
});

test('any bytes are read or refused, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => {
      const reader = new FrameReader();
      for (const piece of pieces) reader.push(piece);
    }),
  );
});
