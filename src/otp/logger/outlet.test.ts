import { expect, test } from 'vitest';
import { type Level, rankOf } from './level.ts';
import { type Backend, type BackendOptions, Outlet } from './outlet.ts';

/** A backend that takes lines only while `open`. */
function valve(options: BackendOptions = {}) {
  const lines: string[] = [];
  const state = { open: true, ready: (): void => {} };
  const backend: Backend = {
    write(line) {
      lines.push(line.trimEnd());
      return state.open;
    },
    onReady: (ready) => {
      state.ready = ready;
    },
  };
  const outlet = new Outlet(backend, options);
  const log = (level: Level, message: string): boolean =>
    outlet.accept(
      { time: 0, level, message, module: '', process: undefined, fields: undefined },
      rankOf(level),
    );
  return {
    lines,
    log,
    outlet,
    shut() {
      state.open = false;
      log('info', 'the last that fits');
    },
    reopen() {
      state.open = true;
      state.ready();
    },
  };
}

test('what a busy backend does not take waits, and comes in order', () => {
  const { log, lines, outlet, shut, reopen } = valve();
  shut();
  for (const level of ['error', 'debug', 'notice', 'critical', 'info'] as const) log(level, level);
  expect([lines.length, outlet.waiting]).toEqual([1, 5]);
  reopen();
  expect(lines.slice(1)).toEqual(
    ['error', 'debug', 'notice', 'critical', 'info'].map((level) => `${level}: ${level}`),
  );
  expect(outlet.waiting).toBe(0);
});

test('overload: debug and info go first, then notice and warning, errors last; a line says how many', () => {
  const { log, lines, outlet, shut, reopen } = valve({ limit: 4 });
  shut();
  log('debug', 'd');
  log('warning', 'w1');
  log('info', 'i');
  log('error', 'e1');
  log('notice', 'n'); // Takes the place of d.
  log('critical', 'c'); // Of i.
  log('debug', 'd2'); // Nothing matters less: dropped itself.
  log('error', 'e2'); // Of w1.
  log('error', 'e3'); // Of n.
  log('error', 'e4'); // The errors before it say how it began.
  expect(outlet.waiting).toBe(4);
  reopen();
  expect(lines.slice(1)).toEqual([
    'error: e1',
    'critical: c',
    'error: e2',
    'error: e3',
    'warning: 6 log records were dropped: too many at once debug=2 info=1 notice=1 warning=1 error=1',
  ]);
});

test('the fields are those of the moment of the call', () => {
  const { outlet, lines, shut, reopen } = valve();
  const fields = { n: 1 };
  shut();
  outlet.accept({ time: 0, level: 'info', message: 'm', module: '', process: undefined, fields }, 1);
  fields.n = 2;
  reopen();
  expect(lines.at(-1)).toBe('info: m n=1');
});

test('a backend that is busy again after each line gets one a time; flush gives it all', () => {
  const { log, lines, outlet, shut } = valve();
  shut();
  for (const n of [1, 2, 3]) log('info', `${n}`);
  expect(lines).toHaveLength(1);
  outlet.flush();
  expect(lines).toHaveLength(4);
});

test('a million records to a backend that is stuck take the room of its limit', () => {
  const { log, outlet, shut } = valve({ limit: 10 });
  shut();
  for (let n = 0; n < 1e6; n++) log(n % 2 === 0 ? 'info' : 'error', 'flood');
  expect(outlet.waiting).toBe(10);
});
