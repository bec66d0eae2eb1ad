import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitLines } from './lines.ts';

function split(chunks: string[]): string[] {
  const lines: string[] = [];
  const splitter = splitLines((line) => lines.push(line));
  for (const chunk of chunks) splitter.push(chunk);
  splitter.end();
  return lines;
}

test('lines, wherever the chunks are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.stringMatching(/^[a-z ]{0,20}$/)), fc.array(fc.nat(30)), (lines, cuts) => {
      let text = lines.map((line) => `${line}\n`).join('');
      const chunks: string[] = [];
      for (const cut of cuts) {
        chunks.push(text.slice(0, cut));
        text = text.slice(cut);
      }
      expect(split([...chunks, text])).toEqual(lines);
    }),
  );
});

test('CRLF, an empty line, and a last line without an end', () => {
  expect(split(['a\r\n', '\nb'])).toEqual(['a', '', 'b']);
  expect(split([''])).toEqual([]);
});

test('an endless line takes bounded memory and says what is missing', () => {
  const [first = '', second] = split([...Array.from({ length: 1000 }, () => 'x'.repeat(1000)), '\nnext\n']);
  expect(first.length).toBeLessThan(5_000);
  expect(first).toContain('characters more');
  expect(second).toBe('next');
});
