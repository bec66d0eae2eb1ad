import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import {
  type AppRunner,
  type AppState,
  createRunner,
  type RunnerOptions,
} from '../../src/device/app/runner.ts';

// Real Node processes under the real runner. Where the tests are root and heart is built, it starts them, as on a device.
const library = new URL('../../src/otp/index.ts', import.meta.url).href;
const heart = fileURLToPath(
  new URL(
    `../../firmware/heart/prebuilt/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}/heart`,
    import.meta.url,
  ),
);
const withHeart = existsSync(heart) && process.getuid?.() === 0;

const options: RunnerOptions = {
  maxRestarts: 2,
  restartWindowMs: 60_000,
  beatTimeoutMs: 1_500,
  startTimeoutMs: 4_000,
  stopTimeoutMs: 1_000,
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-runner-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Rig {
  runner: AppRunner;
  states: AppState[];
  output: string[];
  reports: string[];
  children: ChildProcess[];
  until(name: AppState['name'], count?: number): Promise<AppState>;
}
let rig: Rig | undefined;
afterEach(async () => {
  await rig?.runner.stop();
});

let files = 0;
function launch(source: string, changes: Partial<RunnerOptions> = {}): Rig {
  const file = join(folder, `app-${++files}.mjs`);
  writeFileSync(file, source.replaceAll('LIB', JSON.stringify(library)));
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', file];
  const [program = '', ...args] = withHeart
    ? [heart, 'exec', '--pdeathsig', 'KILL', '--setsid', '--', ...node]
    : node;
  const states: AppState[] = [];
  const waiting: { name: AppState['name']; count: number; resolve: (state: AppState) => void }[] = [];
  const children: ChildProcess[] = [];
  const output: string[] = [];
  const reports: string[] = [];
  const look = (): void => {
    for (const each of waiting) {
      const seen = states.filter(({ name }) => name === each.name);
      const state = seen[each.count - 1];
      if (state) each.resolve(state);
    }
  };
  const runner = createRunner(
    { ...options, ...changes },
    {
      spawn() {
        const child = spawn(program, args, {
          stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
          env: {
            PATH: process.env.PATH,
            HEARTH_BEAT_MS: String(changes.beatTimeoutMs ?? options.beatTimeoutMs),
            HOME: folder,
          },
          detached: !withHeart,
        });
        children.push(child);
        return child;
      },
      killAll(pid) {
        try {
          process.kill(-pid, 'SIGKILL');
        } catch (error) {
          expect((error as NodeJS.ErrnoException).code).toBe('ESRCH');
        }
      },
      now: () => performance.now(),
      onState(state) {
        states.push(state);
        look();
      },
      onOutput: (line) => output.push(line),
      onReport: (message) => reports.push(message),
    },
  );
  const until = (name: AppState['name'], count = 1): Promise<AppState> => {
    const { promise, resolve } = Promise.withResolvers<AppState>();
    waiting.push({ name, count, resolve });
    look();
    return promise;
  };
  rig = { runner, states, output, reports, children, until };
  runner.start();
  return rig;
}

const gone = (pid: number): boolean =>
  !existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
/** Of a process that has been ended, but is nobody's child to wait for: the kernel may still be taking it apart. */
const end = (pid: number): Promise<boolean> =>
  vi.waitUntil(() => gone(pid), { timeout: 10_000, interval: 10 });
const names = (states: AppState[]): string[] => states.map(({ name }) => name);

test('an app starts, is healthy, and stops when asked, in its own order', async () => {
  const { until, runner, output, states } = launch(`
    import { logger, onStop, run } from LIB;
    onStop(() => logger.info('handler'));
    run({ start: () => console.log('started'), stop: () => logger.info('own stop') });
  `);
  await until('healthy');
  await runner.stop();
  expect(names(states)).toEqual(['starting', 'healthy', 'stopping', 'stopped']);
  expect(output).toEqual(['started', 'info: stopping: hearthd asked', 'info: own stop', 'info: handler']);
});

test('an app whose configuration is refused is not started again: it would be refused again', async () => {
  const { until, states, reports } = launch(`
    import { defineRuntime, run, vars } from LIB;
    defineRuntime({ port: vars.int('PORT'), token: vars.secret('TOKEN') });
    run(() => {});
  `);
  const reason =
    'the app exited with 78: the runtime configuration is refused: PORT is not set (expected an integer); TOKEN is not set (expected a secret)';
  expect(await until('failed')).toEqual({ name: 'failed', reason, refused: true });
  expect(names(states)).toEqual(['starting', 'failed']);
  expect(reports).toEqual([reason]);
});

test('an app that throws at import is restarted with back-off, then failed, with file, line and reason', async () => {
  const { until, states, reports } = launch(`
    console.log('importing');
    const sensor = undefined;
    sensor.read();
  `);
  const failed = await until('failed');
  expect(names(states)).toEqual(['starting', 'waiting', 'starting', 'waiting', 'starting', 'failed']);
  expect(states.flatMap((state) => (state.name === 'waiting' ? [state.delayMs] : []))).toEqual([0, 1_000]);
  expect(failed).toMatchObject({
    reason: expect.stringMatching(
      /^the app exited with 1 while it was being imported, before run\(\): TypeError: Cannot read properties of undefined \(reading 'read'\) at \/.*app-\d+\.mjs:4:12$/,
    ),
  });
  expect(reports).toHaveLength(3);
});

test('a start that fails names the error (S4)', async () => {
  const { until } = launch(
    `import { run } from LIB;
     run(async () => { await import('node:fs/promises').then((fs) => fs.readFile('/no/such/file')); });`,
    { maxRestarts: 0 },
  );
  expect(await until('failed')).toMatchObject({
    reason: expect.stringMatching(/while it started: Error: ENOENT.*\/no\/such\/file/),
  });
});

test('an event loop that stands still is killed and started again (S5)', async () => {
  const { until, states, reports, children } = launch(`
    import { run } from LIB;
    run(() => { setTimeout(() => { for (;;); }, 200); });
  `);
  await until('healthy');
  const hungSince = performance.now();
  await until('waiting');
  expect(performance.now() - hungSince).toBeLessThan(options.beatTimeoutMs + 200 + 800);
  expect(reports[0]).toContain('its event loop stood still for 1500 ms');
  await until('healthy', 2);
  expect(names(states).slice(0, 5)).toEqual(['starting', 'healthy', 'waiting', 'starting', 'healthy']);
  expect(gone(children[0]?.pid ?? 0)).toBe(true);
});

test('a busy app that still turns its loop is left alone', async () => {
  const { until, output, states } = launch(`
    import { run } from LIB;
    run(() => {
      const until = performance.now() + 2500;
      const work = () => { for (let i = 0; i < 1e6; i++); if (performance.now() < until) setImmediate(work); else console.log('done'); };
      work();
    });
  `);
  await until('healthy');
  while (!output.includes('done')) await new Promise((resolve) => setImmediate(resolve));
  expect(names(states)).toEqual(['starting', 'healthy']);
});

test('a hearthd that itself stood still does not blame the app', async () => {
  const { until, states, output } = launch(`
    import { run } from LIB;
    run(() => { setTimeout(() => console.log('still here'), 3500); });
  `);
  await until('healthy');
  // As after SIGSTOP and SIGCONT: timers are due, and the app's beats are unread.
  const standUntil = performance.now() + options.beatTimeoutMs * 2;
  while (performance.now() < standUntil);
  while (!output.includes('still here')) await new Promise((resolve) => setImmediate(resolve));
  expect(names(states)).toEqual(['starting', 'healthy']);
});

test('an app that never calls run() is told to', async () => {
  const { until } = launch('setInterval(() => {}, 1000);', { maxRestarts: 0, startTimeoutMs: 1_600 });
  expect(await until('failed')).toMatchObject({
    reason: expect.stringContaining('it did not call run() of hearthfw within 1600 ms'),
  });
});

test('unhealthy is tolerated for the beat timeout; an ok in time saves the app', async () => {
  const { until, states } = launch(
    `import { health, run } from LIB;
     run(async () => {
       health.fail('sensor 1 does not answer');
       setTimeout(() => health.ok(), 300);
       setTimeout(() => health.fail('sensor 2 does not answer'), 600);
     });`,
    { maxRestarts: 0 },
  );
  expect(await until('failed')).toMatchObject({
    reason: 'the app was killed: it stayed unhealthy: sensor 2 does not answer',
  });
  expect(names(states)).toEqual(['starting', 'unhealthy', 'healthy', 'unhealthy', 'failed']);
});

test('an app that ignores every request to stop is killed at the deadline (R3)', async () => {
  const { until, runner, children, reports } = launch(`
    import { onStop, run } from LIB;
    process.on('SIGTERM', () => {});
    onStop(() => new Promise(() => {}));
    process.exit = () => {};
    run(() => {});
  `);
  await until('healthy');
  const asked = performance.now();
  await runner.stop();
  expect(performance.now() - asked).toBeLessThan(options.stopTimeoutMs + 500);
  expect(reports).toContain('the app did not stop within 1000 ms: killed');
  expect(gone(children[0]?.pid ?? 0)).toBe(true);
});

test("the app's own processes die with it, also when they hold its pipes (R3)", async () => {
  const { until, output } = launch(`
    import { spawn } from 'node:child_process';
    import { run } from LIB;
    run(() => {
      const driver = spawn('sleep', ['1000'], { stdio: 'inherit' });
      console.log('driver', driver.pid);
      setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100);
    });
  `);
  await until('waiting');
  const pid = Number(/driver (\d+)/.exec(output[0] ?? '')?.[1]);
  expect(pid).toBeGreaterThan(1);
  await end(pid);
});

test('a flood of output is read in bounded memory and does not stop the app from being stopped (R4)', async () => {
  const { until, runner, output } = launch(`
    import { run } from LIB;
    run(() => { const flood = () => { console.log('x'.repeat(100_000)); setImmediate(flood); }; flood(); });
  `);
  await until('healthy');
  const before = process.memoryUsage().rss;
  const measured = performance.now();
  while (performance.now() - measured < 1_000) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
  await runner.stop();
  expect(runner.state.name).toBe('stopped');
  // 256 KiB in 100 ms, whatever the app offers, for the second above and the one to stop.
  expect(output.length).toBeLessThan(100);
});

test('an app whose parent dies ends itself', async () => {
  const file = join(folder, 'orphan.mjs');
  writeFileSync(
    file,
    `import { run } from ${JSON.stringify(library)}; run(() => console.log('pid', process.pid));`,
  );
  const parent = spawn(
    process.execPath,
    [
      '-e',
      `const c = require('child_process').spawn(process.execPath, [${JSON.stringify(file)}], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: { ...process.env, HEARTH_BEAT_MS: '1000' } }); setInterval(() => {}, 1000);`,
    ],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const [text] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(/pid (\d+)/.exec(String(text))?.[1]);
  parent.kill('SIGKILL');
  // Its end closes the pipe that it has inherited.
  await once(parent.stdout, 'close');
  await end(pid);
});

test('stopping between two starts leaves nothing running', async () => {
  const { until, runner, states, children } = launch('process.exit(3);');
  await until('waiting', 2);
  await runner.stop();
  const started = children.length;
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  expect(children).toHaveLength(started);
  expect(states.at(-1)?.name).toBe('stopped');
});

test('a program that is not there is reported, not thrown', async () => {
  const states: AppState[] = [];
  const failed = Promise.withResolvers<AppState>();
  const runner = createRunner(
    { ...options, maxRestarts: 0 },
    {
      spawn: () => spawn('/no/such/program', [], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] }),
      killAll: () => expect.unreachable(),
      now: () => performance.now(),
      onState(state) {
        states.push(state);
        if (state.name === 'failed') failed.resolve(state);
      },
      onOutput() {},
      onReport() {},
    },
  );
  runner.start();
  expect(await failed.promise).toMatchObject({ reason: expect.stringContaining('ENOENT') });
  await runner.stop();
});
