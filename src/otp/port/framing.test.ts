import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Framing, lines, packets, raw } from './framing.ts';

setFlagsFromString('--expose-gc');

function pushed<F>(framing: Framing<F>, bytes: Buffer): F[] {
  const frames: F[] = [];
  framing.push(bytes, (frame) => frames.push(frame));
  return frames;
}

/** What comes out when the bytes come in pieces of this size. */
function inPieces<F>(framing: Framing<F>, bytes: Buffer, size: number): F[] {
  const frames: F[] = [];
  for (let at = 0; at < bytes.length; at += size)
    frames.push(...pushed(framing, bytes.subarray(at, at + size)));
  return [...frames, ...framing.end()];
}

describe.each([1, 2, 4] as const)('packets with %i bytes of length', (lengthBytes) => {
  const framing = () => packets(lengthBytes, 1_000);

  test('any frames, cut anywhere, come out as they were sent', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: lengthBytes === 1 ? 255 : 300 }), { maxLength: 6 });
    fc.assert(
      fc.property(frames, fc.integer({ min: 1, max: 700 }), (sent, size) => {
        const { encode } = framing();
        const bytes = Buffer.concat(sent.map((frame) => encode(Buffer.from(frame))));
        const got = inPieces(framing(), bytes, size);
        expect(got.map((frame) => [...frame])).toEqual(sent.map((frame) => [...frame]));
      }),
    );
  });

  test('two frames, cut at every byte', () => {
    const bytes = Buffer.concat([framing().encode(Buffer.from('abc')), framing().encode(Buffer.from('de'))]);
    for (let at = 0; at <= bytes.length; at++) {
      const under = framing();
      const got = [
        ...pushed(under, bytes.subarray(0, at)),
        ...pushed(under, bytes.subarray(at)),
        ...under.end(),
      ];
      expect(got.map(String)).toEqual(['abc', 'de']);
    }
  });

  test('the length is big-endian', () => {
    const expected = { 1: [2, 7, 8], 2: [0, 2, 7, 8], 4: [0, 0, 0, 2, 7, 8] };
    expect([...framing().encode(Buffer.from([7, 8]))]).toEqual(expected[lengthBytes]);
  });

  test('a frame that was cut off is an error at the end, also within its length', () => {
    const bytes = framing().encode(Buffer.from('abc'));
    for (let at = 1; at < bytes.length; at++) {
      const under = framing();
      expect(pushed(under, bytes.subarray(0, at))).toEqual([]);
      expect(() => under.end()).toThrow(`${at} bytes into it`);
    }
  });
});

test('a length beyond the limit is refused before its bytes come; a frame beyond it is not sent', () => {
  const framing = packets(4, 1_000);
  expect(() => pushed(framing, Buffer.from([0, 0, 3, 0xe9]))).toThrow('a frame of 1001 bytes');
  expect(() => framing.encode(Buffer.alloc(1_001))).toThrow('1001');
  expect(() => packets(1, 1_000).encode(Buffer.alloc(256))).toThrow('255');
  expect(pushed(packets(4, 1_000), packets(4, 1_000).encode(Buffer.alloc(1_000)))).toHaveLength(1);
});

describe('lines', () => {
  test('any text, cut anywhere, also within a character', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => text.replace(/[\r\n]/g, ''));
    fc.assert(
      fc.property(fc.array(line), fc.integer({ min: 1, max: 50 }), (sent, size) => {
        const { encode } = lines(1_000);
        expect(inPieces(lines(1_000), Buffer.concat(sent.map(encode)), size)).toEqual(sent);
      }),
    );
  });

  test('end with \\n or \\r\\n; the last one with nothing', () => {
    expect(inPieces(lines(100), Buffer.from('a\r\n\nb\rc\nend'), 3)).toEqual(['a', '', 'b\rc', 'end']);
  });

  test('one that is too long is refused, with or without its end', () => {
    expect(() => pushed(lines(3), Buffer.from('abcd'))).toThrow(
      'a line is more than this port takes: 3 bytes',
    );
    expect(() => pushed(lines(3), Buffer.from('abcd\n'))).toThrow('3 bytes');
    expect(pushed(lines(3), Buffer.from('abc\nabc\n'))).toEqual(['abc', 'abc']);
    expect(() => lines(3).encode('abcd')).toThrow('3 bytes');
    expect(() => lines(3).encode('a\n')).toThrow('line break');
  });
});

test('raw bytes stay as they come', () => {
  expect(inPieces(raw, Buffer.from('abcd'), 3).map(String)).toEqual(['abc', 'd']);
});

test.each([
  ['a packet', packets(4, 2 ** 20), packets(4, 2 ** 20).encode(Buffer.alloc(2 ** 20, 'x'))],
  ['a line', lines(2 ** 20), Buffer.alloc(2 ** 20, 'x')],
])('%s that comes byte by byte takes no more memory than its bytes', (_, framing, bytes) => {
  const memory = () => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
  // All but the last: the frame is not there yet. Each byte is a buffer of its own, as each read of a pipe is.
  const before = memory();
  for (let at = 0; at < bytes.length - 1; at++)
    framing.push(Buffer.allocUnsafeSlow(1).fill(bytes[at] ?? 0), () => expect.fail('too early'));
  const collect = runInNewContext('gc') as () => void;
  collect();
  expect(memory() - before).toBeLessThan(16 * 2 ** 20);
});
