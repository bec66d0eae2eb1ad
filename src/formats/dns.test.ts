import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FormatError } from '../errors.ts';
import { type DnsMessage, type DnsRecord, decodeMessage, encodeMessage, TYPE } from './dns.ts';

const owned = (name: string, data: DnsRecord['data']): DnsRecord => ({
  name,
  ttlSeconds: 120,
  flush: true,
  data,
});

test('a message of every kind of record is read as it was written, its names written once', () => {
  const message: DnsMessage = {
    id: 7,
    response: true,
    truncated: false,
    questions: [{ name: 'kitchen.local', type: TYPE.ANY, unicast: true }],
    answers: [
      owned('kitchen.local', { type: 'A', address: '10.0.2.15' }),
      owned('kitchen.local', { type: 'AAAA', address: 'fe80::1' }),
      owned('kitchen.local', { type: 'NSEC', types: [TYPE.A, TYPE.AAAA] }),
      owned('a\\.b\\\\c.local', { type: 'TXT', strings: ['product=hello', 'version=1.0.0'] }),
    ],
    authorities: [owned('1.local', { type: 'SRV', port: 22, target: 'kitchen.local' })],
    additionals: [
      { ...owned('_x._tcp.local', { type: 'PTR', target: 'kitchen.local' }), flush: false },
      owned('kitchen.local', { type: 'other', code: 13, bytes: Uint8Array.from([1, 2, 3]) }),
    ],
  };
  const bytes = encodeMessage(message);
  expect(decodeMessage(bytes)).toEqual(message);
  // As owner once; and in the SRV, PTR and NSEC records, which are written out.
  expect(bytes.toString('latin1').split('kitchen').length - 1).toBe(4);
});

test.each(['::', '::1', 'fe80::fc:ff:fe00:1', '2001:db8:0:1::', '::ffff:1.2.3.4', 'fd00::2'])(
  '%s',
  (address) => {
    const [answer] =
      decodeMessage(encodeMessage({ answers: [owned('a', { type: 'AAAA', address })] }))?.answers ?? [];
    const canonical = new URL(`http://[${address}]`).hostname.slice(1, -1);
    expect(answer?.data).toEqual({ type: 'AAAA', address: canonical });
  },
);

test('what is too long for its place is not written', () => {
  expect(() => encodeMessage({ questions: [{ name: 'x'.repeat(64), type: 1, unicast: false }] })).toThrow(
    RangeError,
  );
});

test('errors and other operations are not for us, and other classes neither', () => {
  const bytes = encodeMessage({ answers: [owned('a', { type: 'A', address: '1.2.3.4' })] });
  expect(decodeMessage(bytes)?.answers).toHaveLength(1);
  const refused = Buffer.from(bytes);
  refused.writeUInt16BE(0x8003, 2);
  expect(decodeMessage(refused)).toBeUndefined();
  const chaos = Buffer.from(bytes);
  chaos.writeUInt16BE(3, 12 + 3 + 2);
  expect(decodeMessage(chaos)?.answers).toEqual([]);
});

test('a name that leads into itself is refused', () => {
  const header = Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  for (const loop of [
    [0xc0, 12],
    [0xc0, 14, 0xc0, 12],
    [1, 97, 0xc0, 12],
  ])
    expect(() => decodeMessage(Buffer.concat([header, Buffer.from(loop), Buffer.alloc(4)]))).toThrow(
      FormatError,
    );
});

test('whatever comes in a packet is a message, none for us, or refused (A6)', () => {
  const valid = encodeMessage({
    response: true,
    questions: [{ name: 'kitchen.local', type: TYPE.ANY, unicast: true }],
    answers: [
      owned('kitchen.local', { type: 'AAAA', address: 'fe80::1' }),
      owned('kitchen.local', { type: 'SRV', port: 22, target: 'kitchen.local' }),
      owned('kitchen.local', { type: 'TXT', strings: ['a=b'] }),
      owned('kitchen.local', { type: 'NSEC', types: [1] }),
    ],
  });
  const altered = fc
    .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
    .map((changes) => {
      const bytes = Buffer.from(valid);
      for (const [at, byte] of changes) bytes[at] = byte;
      return bytes;
    });
  const cut = fc.nat(valid.length).map((length) => valid.subarray(0, length));
  fc.assert(
    fc.property(fc.oneof(altered, cut, fc.uint8Array({ maxLength: 600 })), (bytes) => {
      let message: DnsMessage | undefined;
      try {
        message = decodeMessage(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
        return;
      }
      // What was understood can be said again; but for texts that are not UTF-8, which are read with losses.
      const texts = [message?.answers, message?.authorities, message?.additionals].flat();
      if (!message || texts.some((each) => each?.data.type === 'TXT')) return;
      expect(decodeMessage(encodeMessage(message))).toEqual(message);
    }),
    { numRuns: 2000 },
  );
});
