import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { FwError } from '../errors.ts';
import { diskSize } from './image.ts';
import { describeError, errorJson, megabytes, terminalOutput } from './output.ts';

const ERROR = new FwError('disk-full', 'the disk is full', {
  where: '/x/y.fw',
  expected: 'room',
  remedy: 'Make room.',
});

describe('an error', () => {
  test('is told to people in what, where, expected, what to do, and its code', () => {
    expect(stripVTControlCharacters(describeError(ERROR)).split('\n')).toEqual([
      'fw: the disk is full',
      '  where:    /x/y.fw',
      '  expected: room',
      '  do:       Make room.',
      '  (disk-full)',
    ]);
    expect(stripVTControlCharacters(describeError(new FwError('code', 'no more is known')))).toBe(
      'fw: no more is known\n  (code)',
    );
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
  });

  test('that is our bug says so, with its stack', () => {
    const bug = new TypeError('x is not a function');
    expect(describeError(bug)).toContain(bug.stack);
    expect(describeError(bug)).toContain('bug in Hearth');
    expect(describeError('thrown')).toContain('internal error');
    expect(errorJson(bug)).toEqual({
      error: { code: 'internal', message: 'TypeError: x is not a function' },
    });
  });
});

describe('progress', () => {
  function stream(isTTY: boolean): { written: string[]; as: NodeJS.WriteStream } {
    const written: string[] = [];
    const as = {
      isTTY,
      columns: 30,
      write: (text: string) => written.push(text),
    } as unknown as NodeJS.WriteStream;
    return { written, as };
  }

  test('replaces its line on a terminal, and is cut to its width', () => {
    const { written, as } = stream(true);
    const out = terminalOutput(as);
    out.step('fetching');
    out.step('x'.repeat(100));
    out.line('done');
    out.done();
    expect(written).toEqual(['fetching', '\r\x1b[K', 'x'.repeat(29), '\r\x1b[K', 'done\n']);
  });

  test('is not shown elsewhere; lines are', () => {
    const { written, as } = stream(false);
    const out = terminalOutput(as);
    out.step('fetching');
    out.line('done');
    out.done();
    expect(written).toEqual(['done\n']);
  });
});

test('sizes are read as bytes or MiB and GiB', () => {
  expect([diskSize('1000'), diskSize('4 GiB'), diskSize('512MiB')]).toEqual([
    1000,
    4 * 1024 ** 3,
    512 * 1024 ** 2,
  ]);
  for (const wrong of ['', '0', '-1', '4 GB', '1e9', '4.5GiB', '99999999999999999999'])
    expect(() => diskSize(wrong), wrong).toThrow("such as '512MiB'");
  expect(megabytes(12_345_678)).toBe('12.3 MB');
});
