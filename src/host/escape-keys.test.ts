import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EscapeKeys } from './escape-keys.ts';

function typed(...pieces: string[]): { text: string; command: string | undefined } {
  const keys = new EscapeKeys();
  let text = '';
  for (const piece of pieces) {
    const { bytes, command } = keys.take(Buffer.from(piece));
    text += Buffer.from(bytes).toString();
    if (command) return { text, command };
  }
  return { text, command: undefined };
}

test.each([
  [['ls\r'], 'ls\r', undefined],
  [['ls', '\x01x'], 'ls', 'quit'],
  [['\x01', 'X'], '', 'quit'],
  [['\x01h'], '', 'help'],
  [['a\x01\x01b'], 'a\x01b', undefined],
  [['\x01\x01', 'x'], '\x01x', undefined],
  [['\x01zq'], 'q', undefined],
  [['\x03\x04\x1a'], '\x03\x04\x1a', undefined],
])('%j gives the guest %j and the command %j', (pieces, text, command) => {
  expect(typed(...pieces)).toEqual({ text, command });
});

test('everything without Ctrl-A reaches the guest as it is', () => {
  const bytes = fc.uint8Array().map((all) => all.filter((byte) => byte !== 1));
  fc.assert(
    fc.property(bytes, (input) => {
      expect(Buffer.from(new EscapeKeys().take(input).bytes)).toEqual(Buffer.from(input));
    }),
  );
});
