import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

// What holds the app until /data is there, in front of a real app.
const gate = fileURLToPath(new URL('../../firmware/rootfs/usr/lib/hearth/gate.cjs', import.meta.url));
let folder: string;
let child: ChildProcess | undefined;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-gate-')));
});
afterEach(() => {
  child?.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function hold(source: string): { app: ChildProcess; output: () => string } {
  const file = join(folder, 'app.mjs');
  writeFileSync(file, source);
  const app = spawn(process.execPath, [`--require=${gate}`, file], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'inherit', 'ipc'],
    env: { PATH: process.env.PATH, HEARTH_GATE: '1', HEARTH_DATA: folder },
  });
  child = app;
  let output = '';
  app.stdout?.on('data', (bytes: Buffer) => {
    output += bytes;
  });
  return { app, output: () => output };
}

const REPORT = `console.log(JSON.stringify([process.cwd(), process.env.HEARTH_DATA_STATE, process.env.HEARTH_GATE, process.execArgv]));`;

test('nothing of the app runs before it is let go; then it knows what has become of /data', async () => {
  const { app, output } = hold(REPORT);
  // Long after a Node that nobody holds has run its script and ended.
  expect(
    await Promise.race([once(app, 'exit'), new Promise((resolve) => setTimeout(resolve, 1_500, 'waits'))]),
  ).toBe('waits');
  expect(output()).toBe('');
  app.stdin?.end('persistent');
  await once(app, 'close');
  expect(JSON.parse(output())).toEqual([folder, 'persistent', null, []]);
});

test('when hearthd goes away without a word, so does the app', async () => {
  const { app, output } = hold(REPORT);
  app.stdin?.end();
  expect(await once(app, 'exit')).toEqual([0, null]);
  expect(output()).toBe('');
});

test('what the app forks is not held, though its standard input stays open', async () => {
  writeFileSync(join(folder, 'forked.mjs'), `console.log('forked', process.env.HEARTH_DATA_STATE);`);
  const { app, output } = hold(`
    import { fork } from 'node:child_process';
    import { Worker } from 'node:worker_threads';
    fork('forked.mjs', { stdio: ['pipe', 'inherit', 'inherit', 'ipc'] }).on('exit', () => {
      new Worker('console.log("worker")', { eval: true }).on('exit', () => process.exit(0));
    });
  `);
  app.stdin?.end('volatile');
  await once(app, 'close');
  expect(output()).toBe('forked volatile\nworker\n');
});
