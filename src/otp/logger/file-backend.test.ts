import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fileBackend } from './file-backend.ts';
import type { Backend } from './outlet.ts';
import type { LogRecord } from './record.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-log-'));
  path = join(folder, 'app.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const RECORD: LogRecord = {
  time: 0,
  level: 'info',
  message: '',
  module: '',
  process: undefined,
  fields: undefined,
};
const say = (backend: Backend, text: string, level: LogRecord['level'] = 'info'): void =>
  void backend.write(`${text}\n`, { ...RECORD, level });
const read = (file = path): string => readFileSync(file, 'utf8');

test('errors are in the file at once, the rest when the event loop has turned', async () => {
  const backend = fileBackend({ path });
  say(backend, 'one');
  expect(existsSync(path)).toBe(false);
  say(backend, 'two', 'error');
  expect(read()).toBe('one\ntwo\n');
  say(backend, 'three');
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  expect(read()).toBe('one\ntwo\nthree\n');
  backend.close?.();
});

test('N bytes x M files: full files are put aside, the oldest goes, nothing in between is lost', () => {
  const backend = fileBackend({ path, maxBytes: 100, files: 3 });
  for (let n = 100; n < 150; n++) say(backend, `line ${n}`, n % 7 === 0 ? 'error' : 'info');
  backend.close?.();
  expect(readdirSync(folder).sort()).toEqual(['app.log', 'app.log.1', 'app.log.2']);
  for (const file of readdirSync(folder)) expect(statSync(join(folder, file)).size).toBeLessThanOrEqual(100);
  const kept = [`${path}.2`, `${path}.1`, path]
    .map((file) => read(file))
    .join('')
    .trim()
    .split('\n');
  expect(kept.at(-1)).toBe('line 149');
  expect(kept).toEqual(Array.from(kept, (_, n) => `line ${150 - kept.length + n}`));
  expect(kept.length).toBeGreaterThan(20);
});

test('one file alone is begun anew', () => {
  const backend = fileBackend({ path, maxBytes: 20, files: 1 });
  for (const n of [1, 2, 3, 4]) say(backend, `line ${n}`, 'error');
  backend.close?.();
  expect([readdirSync(folder), read()]).toEqual([['app.log'], 'line 3\nline 4\n']);
});

test('P: a line that a power cut has torn is ended first; a cut between two renames is no obstacle', () => {
  writeFileSync(path, 'whole\nhal');
  writeFileSync(`${path}.2`, 'old\n');
  const backend = fileBackend({ path, maxBytes: 25, files: 4 });
  say(backend, 'after', 'error');
  expect(read()).toBe('whole\nhal\nafter\n');
  say(backend, 'and one that is long', 'error');
  backend.close?.();
  expect([read(), read(`${path}.1`), read(`${path}.3`)]).toEqual([
    'and one that is long\n',
    'whole\nhal\nafter\n',
    'old\n',
  ]);
});

test('R1: a full disk costs lines, never an exception, and the file says how many when there is room', () => {
  // The kernel's own full disk.
  symlinkSync('/dev/full', path);
  const backend = fileBackend({ path });
  say(backend, 'one');
  say(backend, 'two', 'error');
  say(backend, 'three', 'error');
  unlinkSync(path);
  say(backend, 'four', 'error');
  say(backend, 'five', 'error');
  backend.close?.();
  expect(read()).toMatch(/^warning: 3 log records were lost here: ENOSPC[^\n]*\nfour\nfive\n$/);
});

test('a folder that is not there is made; one that cannot be is survived until it can', () => {
  const below = join(folder, 'a', 'b', 'app.log');
  writeFileSync(join(folder, 'a'), 'in the way');
  const backend = fileBackend({ path: below });
  say(backend, 'lost', 'critical');
  rmSync(join(folder, 'a'));
  say(backend, 'kept', 'critical');
  backend.close?.();
  expect(read(below)).toMatch(/^warning: 1 log records were lost here: E(NOTDIR|EXIST)[^\n]*\nkept\n$/);
});
