import { PassThrough } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { FwError } from '../errors.ts';
import { describeError, errorJson, wrapped } from './error-text.ts';

const CAUSE = new Error('ENOSPC: no space left on device');
const ERROR = new FwError('disk-full', 'the disk is full', {
  where: '/x/y.fw',
  expected: 'room',
  remedy: 'Make room.',
  cause: CAUSE,
});
const file = new PassThrough();
const terminal = Object.assign(new PassThrough(), { isTTY: true, columns: 40 });

describe('an error', () => {
  test('is told to people in what, where, expected, what to do, and its code', () => {
    expect(describeError(ERROR, { stream: file }).split('\n')).toEqual([
      'fw: the disk is full',
      '  where:    /x/y.fw',
      '  expected: room',
      '  do:       Make room.',
      '  (disk-full)',
    ]);
    expect(describeError(new FwError('code', 'no more is known'), { stream: file })).toBe(
      'fw: no more is known\n  (code)',
    );
  });

  test('says where it was thrown, and what caused it, when it shall say more', () => {
    const text = describeError(ERROR, { stream: file, verbose: true });
    expect(text).toMatch(/\(disk-full\)\n {4}at .*error-text\.test\.ts/);
    expect(text).toMatch(/\ncaused by: Error: ENOSPC: no space left on device\n {4}at /);
    // Nothing twice.
    expect(text.match(/the disk is full/g)).toHaveLength(1);
    expect(text.match(/ENOSPC/g)).toHaveLength(1);
    const circle = new Error('a circle');
    circle.cause = circle;
    expect(describeError(circle, { stream: file, verbose: true }).match(/a circle/g)).toHaveLength(1);
    const odd = new FwError('code', 'what', { cause: 'thrown text' });
    expect(describeError(odd, { stream: file, verbose: true })).toContain('caused by: thrown text');
  });

  test('fits the terminal, and stays in one piece elsewhere', () => {
    const long = new FwError('code', 'what', { remedy: 'One two three four five six seven eight nine ten.' });
    const text = stripVTControlCharacters(describeError(long, { stream: terminal }));
    expect(text.split('\n').slice(1, 3)).toEqual([
      '  do:       One two three four five six',
      '            seven eight nine ten.',
    ]);
    expect(describeError(long, { stream: file }).split('\n')).toHaveLength(3);
  });

  test('is told to programs as JSON', () => {
    expect(JSON.parse(JSON.stringify(errorJson(ERROR)))).toEqual({
      error: {
        code: 'disk-full',
        message: 'the disk is full',
        where: '/x/y.fw',
        expected: 'room',
        remedy: 'Make room.',
      },
    });
    expect(errorJson(ERROR, { verbose: true }).error.stack).toEqual(
      expect.arrayContaining(['caused by: Error: ENOSPC: no space left on device']),
    );
  });

  test('that is our bug says so in a line, and its stack only when it shall say more', () => {
    const bug = new TypeError('x is not a function\nsecond line');
    const short = describeError(bug, { stream: file, reportTo: 'https://bugs.example' });
    expect(short.split('\n')).toEqual([
      'fw: internal error: TypeError: x is not a function',
      expect.stringMatching(/^ {2}do: .*bug in Hearth.* --verbose.* https:\/\/bugs\.example/),
      '  (internal)',
    ]);
    expect(describeError(bug, { stream: file, verbose: true })).toMatch(/\n {4}at .*error-text\.test\.ts/);
    expect(describeError('thrown', { stream: file })).toContain('internal error: thrown');
    expect(errorJson(bug)).toEqual({ error: { code: 'internal', message: String(bug) } });
  });
});

test('text is broken between words; what has no place to be broken stays', () => {
  expect(wrapped('aa bb cc', 7, 0, 2)).toBe('aa bb\n  cc');
  expect(wrapped('aa bb', 7, 3, 2)).toBe('aa\n  bb');
  expect(wrapped('/a/very/long/path and', 10, 0, 2)).toBe('/a/very/long/path\n  and');
  expect(wrapped('first:\n  a: one two', 12, 0, 2)).toBe('first:\n  a: one\n  two');
  expect(wrapped('as it is', Number.POSITIVE_INFINITY, 0, 2)).toBe('as it is');
});
