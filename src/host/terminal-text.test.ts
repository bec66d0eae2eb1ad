import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TerminalText } from './terminal-text.ts';

function plain(...pieces: (string | Uint8Array)[]): string {
  const text = new TerminalText();
  return pieces.map((piece) => text.push(Buffer.from(piece))).join('');
}

describe('text from a terminal', () => {
  test.each([
    ['colours and cursor moves', '\x1b[2J\x1b[01;01H\x1b[1m\x1b[33mhello\x1b[0m\n', 'hello\n'],
    ["busybox's question for the cursor", '~ # \x1b[6n\n', '~ # \n'],
    ['window titles', '\x1b]0;title\x07a\x1b]2;b\x1b\\c\n', 'ac\n'],
    ['character sets and keypad modes', '\x1b(Ba\x1b=b\x1bMc\n', 'abc\n'],
    ['line ends of serial ports', 'a\r\nb\r\r\nc\rd\n', 'a\nb\nc\nd\n'],
    ['bells and other control characters', 'a\x07\x00\x08b\tc\x7f\n', 'ab\tc\n'],
  ])('loses %s', (_, input, output) => {
    expect(plain(input)).toBe(output);
  });

  test('holds back what may go on', () => {
    expect(plain('a\x1b[3')).toBe('a');
    expect(plain('a\x1b[3', '1mb')).toBe('ab');
    expect(plain('a\r')).toBe('a');
    expect(plain('a\r', '\nb')).toBe('a\nb');
    expect(plain('a\r', '\x1b(B', '\r\nb')).toBe('a\nb');
  });

  test('gives up on escape sequences without end', () => {
    expect(plain(`\x1b]${'x'.repeat(5000)}`, 'after\n')).toContain('after');
  });

  test('does not depend on how the bytes are cut', () => {
    const token = fc.constantFrom(
      'a',
      'é',
      '😀',
      '\r\n',
      '\r',
      '\n',
      '\x1b[31m',
      '\x1b]0;t\x07',
      '\x1b(B',
      '\x1b[',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(token), fc.array(fc.nat(40)), (tokens, cuts) => {
        const bytes = Buffer.from(`${tokens.join('')}.\n`);
        const pieces: Uint8Array[] = [];
        let from = 0;
        for (const cut of cuts) {
          pieces.push(bytes.subarray(from, from + cut));
          from += cut;
        }
        expect(plain(...pieces, bytes.subarray(from))).toBe(plain(bytes));
      }),
    );
  });
});
