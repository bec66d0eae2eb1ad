import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { Finding } from '../host/doctor/finding.ts';
import { findingsText, writesUnicode } from './doctor-text.ts';
import type { TextStream } from './output.ts';

const FINDINGS: Finding[] = [
  { check: 'Node', level: 'ok', text: '24.0.0' },
  { check: 'signing key', level: 'note', text: 'the public example key', remedy: 'fw key new NAME' },
  {
    check: 'QEMU',
    level: 'problem',
    stops: 'fw run',
    text: 'qemu-system-aarch64 is not on the PATH, wherever else it may be on this machine',
    remedy: 'sudo apt install -t bookworm-backports qemu-system-arm (after adding bookworm-backports)',
  },
];
const plain: TextStream = Object.assign(new PassThrough(), { columns: 80 });
const text = (findings: Finding[], unicode: boolean): string =>
  findingsText(findings, { stream: plain, unicode });

test('findings are aligned, say what to do, and fit the terminal', () => {
  expect(text(FINDINGS, true).split('\n')).toEqual([
    '✓ Node         24.0.0',
    '! signing key  the public example key',
    '               → fw key new NAME',
    '✗ QEMU         qemu-system-aarch64 is not on the PATH, wherever else it may be',
    '               on this machine (stops only fw run)',
    '               → sudo apt install -t bookworm-backports qemu-system-arm (after',
    '                 adding bookworm-backports)',
    '',
    'fw build can work; 1 problem stops fw run.',
  ]);
});

test('where there is only ASCII, they are ASCII', () => {
  expect(text(FINDINGS, false)).toMatch(/^[\x20-\x7e\n]*$/);
  expect(text(FINDINGS, false)).toContain('x QEMU');
});

test('the last line says what cannot be done', () => {
  const build: Finding = { check: 'cache', level: 'problem', stops: 'fw build', text: 'read-only' };
  const last = (findings: Finding[]): string | undefined => text(findings, true).split('\n').at(-1);
  expect(last([])).toBe('fw build and fw run can work.');
  expect(last([...FINDINGS, build])).toBe('1 problem stops fw build, 1 more only fw run.');
  expect(last([build, build])).toBe('2 problems stop fw build.');
});

test.each([
  [{ LANG: 'en_US.UTF-8' }, true],
  [{ LANG: 'en_US.UTF-8', LC_ALL: 'C' }, false],
  [{ LC_CTYPE: 'C.utf8', LANG: 'C' }, true],
  [{ LANG: 'en_US.UTF-8', TERM: 'linux' }, false],
  [{}, false],
])('%j writes more than ASCII: %s', (env, expected) => {
  expect(writesUnicode(env, 'linux')).toBe(expected);
});
