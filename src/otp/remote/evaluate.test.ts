import { expect, test } from 'vitest';
import { evaluate } from './evaluate.ts';

const names = { answer: 42, later: (value: unknown) => Promise.resolve(value) };

test.each([
  ['1 + 1', 2],
  ['answer', 42],
  ['later(5)', 5],
  ['(await later(5)) + 1', 6],
  ['answer // with a comment', 42],
  ['{ a: 1 }', { a: 1 }],
  ['const a = 3; return a * 2', 6],
  ['const a = 3', undefined],
  ['answer as number', 42],
  ['const a: number = 1;\nreturn <T>(b: T) => b', expect.any(Function)],
  ['[] instanceof Array', true],
  ["(await import('node:path')).posix.sep", '/'],
])('%s', async (text, value) => {
  expect(await evaluate(text, names)).toEqual(value);
});

test('what it throws is thrown, and what it declares stays its own', async () => {
  await expect(evaluate('nowhere', names)).rejects.toThrow(new ReferenceError('nowhere is not defined'));
  await expect(evaluate('later(Promise.reject(new RangeError("far")))', names)).rejects.toThrow(RangeError);
  await expect(evaluate('1 +', names)).rejects.toThrow(SyntaxError);
  await evaluate('var own = 1; function alsoOwn() {}', names);
  expect(await evaluate('[typeof own, typeof alsoOwn]', names)).toEqual(['undefined', 'undefined']);
});

test('an endless loop is ended, and the process goes on', async () => {
  await expect(evaluate('for (;;);', names, 50)).rejects.toThrow('computed for 50 ms without an await');
  expect(await evaluate('answer', names, 50)).toBe(42);
});
