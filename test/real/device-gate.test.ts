import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { nodeOptions } from '../../src/device/app/command.ts';

// What holds the app until /data is there, in front of a real app.
const gate = fileURLToPath(new URL('../../firmware/rootfs/usr/lib/hearth/gate.mjs', import.meta.url));
let folder: string;
let child: ChildProcess | undefined;
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-gate-')));
});
afterEach(() => {
  child?.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Holding {
  /** By the app; else by Node, before it looks for the app. */
  imported?: boolean;
  nodeArgs?: string[];
  env?: Record<string, string>;
}

function hold(
  source: string,
  { imported = true, nodeArgs = [], env = {} }: Holding = {},
): { app: ChildProcess; output: () => string } {
  const file = join(folder, 'app.mjs');
  writeFileSync(file, imported ? `import '${gate}';\n${source}` : source);
  const app = spawn(process.execPath, [...nodeOptions({ nodeArgs, env, yetToCome: !imported }, gate), file], {
    cwd: '/',
    stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    env: { ...env, PATH: process.env.PATH, HEARTH_GATE: '1', HEARTH_DATA: folder },
  });
  child = app;
  let output = '';
  app.stdout?.on('data', (bytes: Buffer) => {
    output += bytes;
  });
  return { app, output: () => output };
}

const REPORT = `console.log(JSON.stringify([process.cwd(), process.env.HEARTH_DATA_STATE, process.env.HEARTH_GATE, process.execArgv]));`;

const PRELOAD = `--import=data:text/javascript,console.log(process.env.HEARTH_DATA_STATE,process.cwd())`;

/** Long after a Node that nobody holds has run its script and ended. */
async function isHeld({ app, output }: ReturnType<typeof hold>): Promise<void> {
  const late = new Promise((resolve) => setTimeout(resolve, 1_500, 'waits'));
  expect(await Promise.race([once(app, 'exit'), late])).toBe('waits');
  expect(output()).toBe('');
}

test.for([
  { who: 'the app imports it', imported: true },
  { who: 'Node requires it first', imported: false },
])(
  'where $who, nothing of the app runs before it is let go; then it knows what has become of /data',
  async ({ imported }) => {
    const held = hold(REPORT, { imported });
    await isHeld(held);
    held.app.stdin?.end('persistent');
    await once(held.app, 'close');
    expect(JSON.parse(held.output())).toEqual([folder, 'persistent', null, []]);
  },
);

test.for<[string, Holding]>([
  ['of the firmware', { nodeArgs: [PRELOAD] }],
  ['that was sent', { imported: false, nodeArgs: [PRELOAD] }],
  ['with options in its environment', { env: { NODE_OPTIONS: PRELOAD } }],
])('what Node evaluates before an app %s is held with it, and once', async ([, how]) => {
  const held = hold(`console.log('app');`, how);
  await isHeld(held);
  held.app.stdin?.end('persistent');
  expect(await once(held.app, 'close')).toEqual([0, null]);
  expect(held.output()).toBe(`persistent ${folder}\napp\n`);
});

test.each<[boolean, string[], string?]>([
  [false, ['--max-old-space-size=100', '--inspect=important']],
  [true, ['--import=./setup.mjs']],
  [true, ['--no-warnings', '-r', './setup.cjs']],
  [true, [], '--no-warnings --require ./setup.cjs'],
  [false, [], '--no-warnings'],
])('that Node requires the gate is %s with %j', (required, nodeArgs, inEnvironment) => {
  const env: Record<string, string> = inEnvironment === undefined ? {} : { NODE_OPTIONS: inEnvironment };
  expect(nodeOptions({ nodeArgs, env }, '/gate.mjs').includes('--require=/gate.mjs')).toBe(required);
});

test('an app that is yet to come is looked for when it is let go', async () => {
  const held = hold('not yet', { imported: false });
  await isHeld(held);
  writeFileSync(join(folder, 'app.mjs'), REPORT);
  held.app.stdin?.end('persistent');
  await once(held.app, 'close');
  expect(JSON.parse(held.output())).toEqual([folder, 'persistent', null, []]);
});

test('an app that imports node:process is held, though that opens its standard input', async () => {
  const held = hold(`import 'node:process';\n${REPORT}`);
  await isHeld(held);
  held.app.stdin?.end('persistent');
  await once(held.app, 'close');
  expect(JSON.parse(held.output())).toEqual([folder, 'persistent', null, []]);
});

test('the app is loaded and compiled while it is held', async () => {
  const { app, output } = hold('this is no JavaScript');
  let said = '';
  app.stderr?.on('data', (bytes: Buffer) => {
    said += bytes;
  });
  // It does not wait for a word to find that out.
  expect(await once(app, 'exit')).toEqual([1, null]);
  expect(said).toContain('SyntaxError');
  expect(output()).toBe('');
});

test('when hearthd goes away without a word, so does the app', async () => {
  const { app, output } = hold(REPORT);
  app.stdin?.end();
  expect(await once(app, 'exit')).toEqual([0, null]);
  expect(output()).toBe('');
});

test.for([true, false])(
  'what the app forks is not held, though its standard input stays open (imported: %s)',
  async (imported) => {
    writeFileSync(join(folder, 'forked.mjs'), `console.log('forked', process.env.HEARTH_DATA_STATE);`);
    const { app, output } = hold(
      `
    import { fork } from 'node:child_process';
    import { Worker } from 'node:worker_threads';
    fork('forked.mjs', { stdio: ['pipe', 'inherit', 'inherit', 'ipc'] }).on('exit', () => {
      new Worker('console.log("worker")', { eval: true }).on('exit', () => process.exit(0));
    });
  `,
      { imported },
    );
    app.stdin?.end('volatile');
    await once(app, 'close');
    expect(output()).toBe('forked volatile\nworker\n');
  },
);
