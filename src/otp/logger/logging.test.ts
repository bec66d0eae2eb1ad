import { expect, test } from 'vitest';
import { Message } from '../process/message.ts';
import { processTable } from '../process/process-table.ts';
import { report } from '../process/reports.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import { Logging } from './logger.ts';
import { logReports } from './reports.ts';
import { type RingBackend, ringBackend } from './ring-backend.ts';

function create(): { logging: Logging; ring: RingBackend } {
  const logging = new Logging('info');
  const ring = ringBackend(100);
  logging.addBackend('ring', ring);
  return { logging, ring };
}

test('fields of a logger come before those of a call, which take their place', () => {
  const { logging, ring } = create();
  const log = logging.logger.with({ request: 7, user: 'ann' }).with({ user: 'bob' });
  log.info('done', { ms: 3 });
  log.info('done', { request: 8 });
  expect(ring.lines()).toEqual(['info: done request=7 user=bob ms=3\n', 'info: done request=8 user=bob\n']);
});

test("a module's level is changed at run time, for loggers that exist already too", () => {
  const { logging, ring } = create();
  const http = logging.logger.module('net').module('http').with({ a: 1 });
  http.debug('unheard');
  expect(http.isOn('debug')).toBe(false);
  logging.setLevel('net', 'debug');
  http.debug('heard');
  logging.logger.debug('unheard');
  logging.resetLevel('net');
  logging.setLevel('error');
  http.warning('unheard');
  expect(ring.lines()).toEqual(['debug: heard a=1 module=net.http\n']);
});

test('methods may be taken off the logger, as callbacks', () => {
  const { logging, ring } = create();
  ['a', 'b'].map((text) => text).forEach((text) => void logging.logger.info(text));
  const { warning } = logging.logger;
  warning('c');
  expect(ring.lines()).toEqual(['info: a\n', 'info: b\n', 'warning: c\n']);
});

test('backends have levels and formats of their own; the ring keeps the last', () => {
  const { logging, ring } = create();
  const errors = ringBackend(2);
  logging.addBackend('errors', errors, { level: 'error', format: ({ message }) => `${message}!\n` });
  for (const n of [1, 2, 3]) logging.logger.error(`e${n}`);
  logging.logger.info('i');
  expect(errors.lines()).toEqual(['e2!\n', 'e3!\n']);
  expect(errors.records().map(({ level, message }) => [level, message])).toEqual([
    ['error', 'e2'],
    ['error', 'e3'],
  ]);
  logging.removeBackend('errors');
  logging.logger.error('e4');
  expect([logging.backends(), errors.lines().length, ring.lines().length]).toEqual([['ring'], 2, 5]);
});

test('a formatter that throws costs nothing but its format', () => {
  const { logging } = create();
  const ring = ringBackend();
  logging.addBackend('bad', ring, {
    format() {
      throw new Error('no format');
    },
  });
  logging.addBackend('worse', ring, { format: () => 5 as unknown as string });
  logging.logger.error('x', { a: 1 });
  expect(ring.lines()).toEqual([
    'error: x a=1 formatterFailed="no format"\n',
    'error: x a=1 formatterFailed="the formatter gave no text"\n',
  ]);
});

test('what no backend takes goes to the last resort; a backend that works again says what it lost', () => {
  const resort: string[] = [];
  const logging = new Logging('info', Date.now, (line) => resort.push(line));
  const written: string[] = [];
  let broken = true;
  logging.addBackend('flaky', {
    write(line) {
      if (broken) throw new Error('no link');
      written.push(line);
    },
    flush() {
      throw new Error('no link');
    },
  });
  logging.logger.info('one');
  logging.logger.info('two');
  broken = false;
  logging.logger.info('three');
  expect(resort).toEqual(['info: one\n', 'info: two\n']);
  expect(written).toEqual([
    'info: three\n',
    'warning: 2 log records were lost: the backend failed reason="no link"\n',
  ]);
  logging.flush();
});

test('even a last resort that throws ends nothing', () => {
  const logging = new Logging('info', Date.now, () => {
    throw new Error('closed');
  });
  logging.addBackend('broken', {
    write() {
      throw new Error('closed');
    },
  });
  logging.logger.critical('unheard');
});

class Account extends Server {
  #password = 'hunter2';
  override init(): void {}
  pay(amount: number): string {
    logs.logging.setProcessFields({ account: 5 });
    logs.logging.logger.info('paying');
    if (amount < 0) throw new RangeError('no negative amounts');
    return this.#password;
  }
}
const logs = create();

test('records know their process, and crash reports have reason, stack and message, but no state', async () => {
  const stop = logReports(logs.logging.logger);
  logs.logging.setLevel('debug');
  const account = await start(Account, { name: 'savings' });
  await expect(account.call('pay', -1)).rejects.toThrow();
  stop();
  const lines = logs.ring.lines();
  expect(lines.find((line) => line.includes('paying'))).toMatch(
    /^info: paying account=5 process=savings#\d+\n$/,
  );
  expect(lines.find((line) => line.startsWith('debug: started savings#'))).toContain('parent=none');
  const crash = lines.find((line) => line.startsWith('error: '));
  expect(crash).toMatch(
    /^error: savings#\d+ crashed: RangeError: no negative amounts kind=Account message="call pay" args=\[-1\] reason="RangeError: no negative amounts\\n {4}at .*pay .*logging\.test\.ts/,
  );
  expect(lines.join('')).not.toContain('hunter2');
});

test('what supervisors and mailboxes report, and a crash whose error throws when it is read, are records too', async () => {
  const { logging, ring } = create();
  const stop = logReports(logging.logger);
  await start(Account, { name: 'reporter' });
  const [process] = processTable.values().filter(({ name }) => name === 'reporter');
  if (!process) throw new Error('no process');
  report({ kind: 'supervisor', process, what: 'child-terminated', child: 'a', reason: new Error('why') });
  report({ kind: 'supervisor', process, what: 'shutdown', child: 'b', reason: 'shutdown' });
  report({ kind: 'long-mailbox', process, long: true, waiting: 5 });
  report({ kind: 'unanswered', process, error: new Error('lost'), message: new Message('cast', 'pay', [1]) });
  const hostile = Object.defineProperty(new Error(), 'message', {
    get() {
      throw new Error('unreadable');
    },
  });
  report({ kind: 'crash', process, reason: hostile, message: undefined });
  report({ kind: 'long-mailbox', process, long: false, waiting: 2 });
  stop();
  process.kill('shutdown');
  const lines = ring.lines().map((line) => line.replaceAll(/#\d+/g, ''));
  expect(lines.slice(0, 3)).toEqual([
    'error: reporter: child a: child-terminated: Error: why\n',
    'info: reporter: child b: shutdown: shutdown\n',
    'warning: the mailbox of reporter is long waiting=5\n',
  ]);
  expect(lines[3]).toMatch(
    /^error: reporter had an error for nobody: Error: lost message="cast pay" args=\[1\] error=/,
  );
  expect(lines[4]).toMatch(/^error: \(the message itself failed: unreadable\) kind=Account reason=/);
  expect(lines[5]).toBe('notice: the mailbox of reporter is no longer long waiting=2\n');
});
