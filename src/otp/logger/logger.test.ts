import { expect, test } from 'vitest';
import { MAX_LINE_LENGTH } from './format.ts';
import { createLogger, type LoggerOptions } from './logger.ts';

function capture(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const log = createLogger({
    level: 'debug',
    format: 'text',
    write: (line) => lines.push(line),
    now: () => new Date(Date.UTC(2026, 10, 20)),
    ...options,
  });
  return { log, lines };
}

test('a record is one line: level, message, fields', () => {
  const { log, lines } = capture();
  log.warning('door open', { room: 7, who: 'Bob B', list: [1] });
  expect(lines).toEqual(['warning: door open room=7 who="Bob B" list=[1]\n']);
});

test('newlines and terminal escapes stay inside the line', () => {
  const { log, lines } = capture();
  log.info('two\nlines \u001b[2J and \u2028 more');
  expect(lines).toEqual(['info: two\\nlines \\x1b[2J and \\x2028 more\n']);
});

test('JSON carries the time', () => {
  const { log, lines } = capture({ format: 'json' });
  log.error('failed', { code: 5n });
  expect(JSON.parse(lines[0] ?? '')).toEqual({
    time: '2026-11-20T00:00:00.000Z',
    level: 'error',
    message: 'failed',
    fields: { code: '5n' },
  });
});

test('records below the level are not even made', () => {
  const { log, lines } = capture({ level: 'notice' });
  let made = 0;
  log.info(() => `${++made}`);
  log.notice(() => `${++made}`);
  expect([made, lines.length]).toEqual([1, 1]);
});

test.each(['text', 'json'] as const)('a line of %s is bounded whatever is logged', (format) => {
  const { log, lines } = capture({ format });
  log.info('\u0001'.repeat(1e6), { many: Array.from({ length: 400 }, () => 'y'.repeat(1000)) });
  expect(lines[0]?.length).toBeLessThanOrEqual(MAX_LINE_LENGTH + 1);
  if (format === 'json') expect(JSON.parse(lines[0] ?? '')).toHaveProperty('omitted');
});

test('of a long list, a huge number or a long text in the wrong place no more is read than a line shows', () => {
  const { log, lines } = capture();
  let reads = 0;
  const list = new Proxy(new Array(100_000), {
    get(target, key) {
      reads++;
      return Reflect.get(target, key);
    },
  });
  log.info(list as never);
  expect(reads).toBeLessThan(2_000);
  log.info((10n ** 100_000n) as never);
  log.info(new Uint8Array(1e6) as never);
  expect(lines.slice(1)).toEqual(['info: [huge bigint]\n', 'info: [Uint8Array of 1000000 bytes]\n']);
  log.with({ room: 7 }).info('read', 'x'.repeat(1e6) as never);
  expect(lines[3]).toMatch(/^info: read room=7 fields="x{2000}… \(1000000 characters\)"\n$/);
  log.with({ room: 7 }).info('read', [1, 2] as never);
  expect(lines[4]).toBe('info: read room=7 fields=[1,2]\n');
});

test('nothing that is logged, and no writer, makes it throw', () => {
  const { log, lines } = capture();
  log.info(() => {
    throw new Error('lazy');
  });
  expect(lines[0]).toContain('the message itself failed');
  log.info(Symbol('s') as unknown as string);
  expect(lines).toHaveLength(2);
  capture({
    write() {
      throw new Error('EPIPE');
    },
  }).log.critical('unheard');
  capture({
    format: 'json',
    now: () => new Date(Number.NaN),
  }).log.critical('a clock that was never set');
});
