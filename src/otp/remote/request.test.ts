import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_PAYLOAD } from './frame.ts';
import { encodeRequest, encodeSize, parseRequest, parseSize, type Request } from './request.ts';

const text = fc
  .string({ unit: 'grapheme', maxLength: 30 })
  .map((each) => each.replaceAll('\0', ' '))
  // Texts with half a surrogate pair do not survive UTF-8.
  .filter((each) => each.isWellFormed());
const requests: fc.Arbitrary<Request> = fc.record({
  verb: text.filter((each) => each !== ''),
  argv: fc.array(text),
  terminal: fc.option(
    fc.record({
      type: text.filter((each) => each !== ''),
      columns: fc.integer({ min: 1, max: 0xffff }),
      rows: fc.integer({ min: 1, max: 0xffff }),
    }),
    { nil: undefined },
  ),
});

test('a request arrives as it was made', () => {
  fc.assert(
    fc.property(requests, (request) => {
      expect(parseRequest(encodeRequest(request) ?? Buffer.alloc(0))).toEqual(request);
    }),
  );
});

test('arguments may hold line breaks and be empty, not hold a NUL, and not be longer than a frame', () => {
  const rpc = (argument: string): Request => ({ verb: 'rpc', argv: [argument], terminal: undefined });
  expect(parseRequest(encodeRequest(rpc('a\nb')) ?? Buffer.alloc(0))?.argv).toEqual(['a\nb']);
  expect(parseRequest(encodeRequest(rpc('')) ?? Buffer.alloc(0))?.argv).toEqual(['']);
  expect(encodeRequest(rpc('a\0b'))).toBeUndefined();
  expect(encodeRequest(rpc('x'.repeat(MAX_PAYLOAD)))).toBeUndefined();
});

test('another version, no verb and impossible sizes are no request', () => {
  for (const bytes of [
    '',
    '2\0\x0080\x0024\0rpc',
    '1',
    '1\0\x0080\x0024\0',
    '1\0xterm\0-1\x0024\0rpc',
    '1\0x\0a\0b\0c',
  ])
    expect(parseRequest(Buffer.from(bytes))).toBeUndefined();
});

test('sizes: two numbers; a terminal that knows none is 80 by 24', () => {
  expect(parseSize(encodeSize({ columns: 132, rows: 50 }))).toEqual({ columns: 132, rows: 50 });
  expect(parseSize(encodeSize({ columns: 0, rows: 0 }))).toEqual({ columns: 80, rows: 24 });
  expect(parseSize(encodeSize({ columns: Number.NaN, rows: 1e9 }))).toEqual({ columns: 80, rows: 24 });
  expect(parseSize(Buffer.alloc(3))).toBeUndefined();
});

test('any bytes are parsed or refused, and nothing is thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      parseRequest(Buffer.from(bytes));
      parseSize(Buffer.from(bytes));
    }),
  );
});
