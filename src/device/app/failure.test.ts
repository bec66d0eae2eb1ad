import { expect, test } from 'vitest';
import { explainEnd, findThrown, isConfigRefused } from './failure.ts';

const thrown = `file:///srv/app/app.mjs:12
throw new Error('no sensor');
^

Error: no sensor
    at helper (file:///srv/app/app.mjs:12:7)
    at ModuleJob.run (node:internal/modules/esm/module_job:430:25)

Node.js v24.21.0`.split('\n');

test('a throw at import is named with its place', () => {
  expect(explainEnd({ kind: 'exit', code: 1 }, 'import', thrown)).toBe(
    'the app exited with 1 while it was being imported, before run(): Error: no sensor at /srv/app/app.mjs:12:7',
  );
});

test("Node's own frames are skipped", () => {
  const tail = [
    'Error: spawn ENOENT',
    '    at ChildProcess._handle.onexit (node:internal/child_process:286:19)',
    '    at start (/srv/app/app.mjs:9:3)',
  ];
  expect(findThrown(tail)).toEqual({ error: 'Error: spawn ENOENT', where: '/srv/app/app.mjs:9:3' });
});

test('a syntax error has its place in the line before', () => {
  const tail = `file:///srv/app/app.mjs:3
const = 1;
      ^

SyntaxError: Unexpected token '='
    at compileSourceTextModule (node:internal/modules/esm/utils:346:16)`.split('\n');
  expect(findThrown(tail)).toEqual({
    error: "SyntaxError: Unexpected token '='",
    where: '/srv/app/app.mjs:3',
  });
});

test("the logger's record of a failed start", () => {
  const tail = [
    'critical: the app failed to start error="Error: listen EADDRINUSE: address already in use :::8080\\n    at Server.setupListenHandle (node:net:1:2)\\n    at start (file:///srv/app/app.mjs:40:5)"',
  ];
  expect(findThrown(tail)).toEqual({
    error: 'Error: listen EADDRINUSE: address already in use :::8080',
    where: '/srv/app/app.mjs:40:5',
  });
});

test('the last error counts, and one without a stack has no place', () => {
  expect(findThrown(['Error: first', '    at /a.js:1:1', 'TypeError: second'])).toEqual({
    error: 'TypeError: second',
    where: undefined,
  });
  expect(findThrown(['all is well', 'Errors: none of them'])).toBeUndefined();
});

test('a configuration that is refused is told whole, and only where it can be one', () => {
  const line =
    `the runtime configuration is refused: ${'A is not set (expected a text); '.repeat(20)}`.trim();
  const tail = ['TypeError: of something else', line];
  const end = { kind: 'exit', code: 78 } as const;
  expect(explainEnd(end, 'import', tail)).toBe(`the app exited with 78: ${line}`);
  expect(isConfigRefused(end, 'import')).toBe(true);
  expect(isConfigRefused(end, 'up')).toBe(false);
  expect(isConfigRefused({ kind: 'exit', code: 1 }, 'import')).toBe(false);
});

test('without an error the last line has to do', () => {
  expect(explainEnd({ kind: 'signal', signal: 'SIGSEGV' }, 'up', ['working', ''])).toBe(
    'the app died of SIGSEGV; its last line was: working',
  );
  expect(explainEnd({ kind: 'signal', signal: 'SIGKILL' }, 'up', thrown)).toBe('the app died of SIGKILL');
  expect(explainEnd({ kind: 'exit', code: 0 }, 'up', [])).toBe('the app exited with 0');
});

test('a thrown text is the last line, not what Node prints below it', () => {
  const tail = [
    'boom',
    '(Use `node --trace-uncaught ...` to show where the exception was thrown)',
    '',
    'Node.js v24.21.0',
  ];
  expect(explainEnd({ kind: 'exit', code: 1 }, 'up', tail)).toBe(
    'the app exited with 1; its last line was: boom',
  );
});

test("hearthd's own reasons are not mixed with old output", () => {
  expect(explainEnd({ kind: 'killed', reason: 'its event loop stood still for 10 ms' }, 'up', thrown)).toBe(
    'the app was killed: its event loop stood still for 10 ms',
  );
  expect(explainEnd({ kind: 'spawn', reason: 'spawn ENOENT' }, 'import', [])).toBe(
    'the app cannot be started: spawn ENOENT',
  );
});
