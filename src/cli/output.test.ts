import { Writable } from 'node:stream';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { PlainOutput, paint, silent, TerminalOutput, type TextStream, terminalOutput } from './output.ts';

const ERASE = '\r\x1b[K';
const MB = 1e6;

function stream(properties: Partial<TextStream> = {}): TextStream & { written: string[] } {
  const written: string[] = [];
  const sink = new Writable({
    decodeStrings: false,
    write(text, _encoding, done) {
      written.push(text);
      done();
    },
  });
  return Object.assign(sink, { written }, properties);
}

describe('on a terminal, progress', () => {
  function terminal(columns = 40): { written: string[]; out: TerminalOutput; pass: (ms: number) => void } {
    const tty = stream({ isTTY: true, columns });
    let now = 0;
    const out = new TerminalOutput(tty, () => now);
    onTestFinished(() => out.done());
    return {
      written: tty.written,
      out,
      pass: (ms) => {
        now += ms;
      },
    };
  }

  test('replaces its line, is cut to the width, and makes way for lines that stay', () => {
    const { written, out } = terminal();
    out.step('fetching');
    out.step('x'.repeat(100));
    out.line('a line');
    out.done();
    expect(written).toEqual(['fetching', `${ERASE}${'x'.repeat(29)}…${'x'.repeat(9)}`, ERASE, 'a line\n']);
  });

  test('shows the rate and what remains; not more often than eyes can follow', () => {
    const { written, out, pass } = terminal(80);
    for (let done = 0; done <= 1000; done++) {
      out.progress({ step: 'fetching x', bytes: { done: done * MB, total: 2000 * MB } });
      pass(1);
    }
    expect(written[0]).toBe('fetching x  0 % of 2.0 GB');
    expect(written.at(-1)).toBe(`${ERASE}fetching x  50 % of 2.0 GB, 1.0 GB/s, 1 s left`);
    expect(written.length).toBeLessThan(12);
  });

  test('is drawn anew while nothing comes: the rate of a minute ago is not that of now', () => {
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { written, out, pass } = terminal(80);
    out.progress({ step: 'fetching x', bytes: { done: 0, total: 100 * MB } });
    pass(1000);
    out.progress({ step: 'fetching x', bytes: { done: 10 * MB, total: 100 * MB } });
    expect(written.at(-1)).toContain('10 MB/s, 9 s left');
    pass(9000);
    vi.advanceTimersByTime(1000);
    expect(written.at(-1)).toContain('1.0 MB/s, 1 min 30 s left');
    out.done();
    const before = written.length;
    vi.advanceTimersByTime(10_000);
    expect(written.length).toBe(before);
  });

  test('begins anew with each step: the rate of one is not that of the next', () => {
    const { written, out, pass } = terminal(80);
    out.progress({ step: 'a', bytes: { done: 0, total: 10 * MB } });
    pass(1000);
    out.progress({ step: 'a', bytes: { done: 10 * MB, total: 10 * MB } });
    out.progress({ step: 'b', bytes: { done: 0, total: 10 * MB } });
    expect(written.at(-1)).toBe(`${ERASE}b  0 % of 10 MB`);
  });
});

test('elsewhere each step is one line, told once, without control characters', () => {
  const file = stream();
  const out = new PlainOutput(file);
  out.step('preparing');
  for (const done of [0, 1, 2]) out.progress({ step: 'fetching x', bytes: { done, total: 2 * MB } });
  out.progress({ step: 'preparing', detail: 'unpacking x' });
  out.warn('look');
  out.line('a line');
  out.done();
  expect(file.written).toEqual(['preparing\n', 'fetching x (2.0 MB)\n', 'warning: look\n', 'a line\n']);
});

test('a terminal that cannot replace lines keeps them', () => {
  const tty = stream({ isTTY: true }) as unknown as NodeJS.WriteStream;
  expect(terminalOutput(tty, { TERM: 'xterm' })).toBeInstanceOf(TerminalOutput);
  expect(terminalOutput(tty, { TERM: 'dumb' })).toBeInstanceOf(PlainOutput);
  expect(terminalOutput(stream() as unknown as NodeJS.WriteStream, {})).toBeInstanceOf(PlainOutput);
});

test('for programs nothing is said', () => {
  const write = vi.spyOn(process.stderr, 'write');
  onTestFinished(() => write.mockRestore());
  silent.step('x');
  silent.line('x');
  silent.warn('x');
  silent.done();
  expect(write).not.toHaveBeenCalled();
});

describe('colour', () => {
  test.each([
    ['a terminal', { isTTY: true }, {}, true],
    ['no terminal', {}, {}, false],
    ['a terminal with NO_COLOR', { isTTY: true }, { NO_COLOR: '1' }, false],
    ['no terminal with FORCE_COLOR', {}, { FORCE_COLOR: '1' }, true],
  ])('%s', (_name, properties, env, expected) => {
    for (const name of ['NO_COLOR', 'FORCE_COLOR', 'NODE_DISABLE_COLORS']) vi.stubEnv(name, undefined);
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    // As far as colours go, a real terminal with a TERM of today.
    const getColorDepth = () => (process.env.NO_COLOR ? 1 : 8);
    const target = Object.assign(stream(properties), { getColorDepth });
    expect(paint('red', 'x', target) !== 'x').toBe(expected);
  });
});
