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

const STREAMS: readonly number[] = [FRAME.input, FRAME.output, FRAME.errorOutput];

/** Neighbours of one stream as one: where a stream is cut means nothing, but for its end. */
function joined(
  frames: readonly { type: number; payload: Uint8Array }[],
): { type: number; payload: Buffer }[] {
  const out: { type: number; payload: Buffer }[] = [];
  for (const { type, payload } of frames) {
    const last = out.at(-1);
    if (last?.type === type && STREAMS.includes(type) && payload.length > 0 && last.payload.length > 0)
      last.payload = Buffer.concat([last.payload, payload]);
    else out.push({ type, payload: Buffer.from(payload) });
  }
  return out;
}

test('frames come out as they went in, wherever they are cut', () => {
  fc.assert(
    fc.property(frames, fc.array(fc.nat()), (sent, places) => {
      const reader = new FrameReader();
      const bytes = Buffer.concat(sent.map(({ type, payload }) => encodeFrame(type, payload)));
      const read = cut(bytes, places).flatMap((piece): Frame[] => reader.push(piece) ?? []);
      expect(joined(read)).toEqual(joined(sent));
    }),
  );
});

test('a stream does not wait for the end of a frame, and is not copied; anything else is whole', () => {
  const reader = new FrameReader();
  const input = encodeFrame(FRAME.input, Buffer.from('input'));
  const [begin] = reader.push(input.subarray(0, 7)) ?? [];
  expect(begin).toMatchObject({ type: FRAME.input, payload: Buffer.from('in') });
  expect(begin?.payload.buffer).toBe(input.buffer);
  expect(reader.push(input.subarray(7))).toMatchObject([{ payload: Buffer.from('put') }]);
  const request = encodeFrame(FRAME.request, Buffer.from('request'));
  expect(reader.push(request.subarray(0, 8))).toEqual([]);
  expect(reader.push(request.subarray(8))).toMatchObject([{ payload: Buffer.from('request') }]);
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
