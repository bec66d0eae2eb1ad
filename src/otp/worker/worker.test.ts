import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { CallError } from '../process/errors.ts';
import { processTable } from '../process/process-table.ts';
import { type ExitReason, Shutdown } from '../process/reason.ts';
import { onReport, type Report } from '../process/reports.ts';
import { named } from '../server/ref.ts';
import { Server } from '../server/server.ts';
import { startSupervisor, supervisor } from '../supervisor/supervisor.ts';
import * as sys from '../sys/index.ts';
import { lastWords, type Numbers, numbers } from './worker.fixture.ts';
import { workerServer } from './worker-server.ts';

/** Those of one kind, from now to the end of the test. */
function reportsOf(kind: Report['kind']): Report[] {
  const reports: Report[] = [];
  onTestFinished(onReport((report) => report.kind === kind && reports.push(report)));
  return reports;
}

afterEach(() => {
  for (const process of processTable.values()) process.kill('killed');
});

test('a server in a thread is called as any other, one message at a time', async () => {
  const ref = await numbers.start({ args: [5] });
  expect(await ref.call('thread')).toBe(false);
  expect(await Promise.all([ref.call('add', 1), ref.call('add', 2), ref.call('add', 3)])).toEqual([6, 8, 11]);
  ref.cast('add', 10);
  expect(await ref.call('add', 0)).toBe(21);
  ref.exit('shutdown');
  expect(await ref.ended()).toBe('shutdown');
});

test('types are those of the class', () => {
  // @ts-expect-error: it takes an argument.
  const check = [() => numbers.start(), () => named<Numbers>('x').call('add', 1)];
  expect(check).toHaveLength(2);
});

test('what is sent reaches `info` in its turn, and its errors are reported here', async () => {
  const reports = reportsOf('unanswered');
  const ref = await numbers.start({ args: [1] });
  ref.send(10);
  ref.send('refuse');
  ref.cast('add', 5);
  ref.send(() => 'what cannot be copied');
  ref.cast('none' as 'quit');
  expect(await ref.call('add', 0)).toBe(16);
  expect(reports.map((report) => 'error' in report && report.error.message)).toEqual([
    'not this',
    'a message cannot be copied to the worker',
  ]);
  ref.send(true);
  expect(await ref.ended()).toMatchObject({ name: 'TypeError', message: 'not a number: true' });
});

test('sys sees the state in the thread, and replaces it', async () => {
  const ref = await numbers.start({ args: [5] });
  ref.cast('add', 1);
  const state: { sum: number } = await sys.getState(ref);
  expect(state).toEqual({ sum: 6 });
  await expect(sys.getStatus(ref)).resolves.toMatchObject({ label: 'Numbers', state: { sum: 6 } });
  const [replaced] = await Promise.all([
    sys.replaceState(ref, ({ sum }) => ({ sum: sum * 10 })),
    ref.call('add', 1),
  ]);
  expect(replaced).toEqual({ sum: 60 });
  expect(await sys.getState(ref)).toEqual({ sum: 61 });
  await expect(
    sys.replaceState(ref, () => {
      throw new RangeError('no');
    }),
  ).rejects.toThrow('no');
  await expect(sys.replaceState(ref, () => ({ sum: (() => 1) as unknown as number }))).rejects.toThrow(
    'cannot be copied',
  );
  expect(await ref.call('add', 0)).toBe(61);
  // @ts-expect-error: the state has no such field.
  expect((await sys.getState(ref)).total).toBeUndefined();
});

describe('the end of the server in the thread', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-worker-'));
    file = join(folder, 'reason');
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const words = () => readFileSync(file, 'utf8');

  test.each<[ExitReason, string]>([
    ['shutdown', 'shutdown'],
    [new Shutdown('for today'), 'shutdown: for today'],
    [new RangeError('beyond'), 'RangeError: beyond'],
  ])('terminate is told the reason %s', async (reason, said) => {
    const crashes = reportsOf('crash');
    const ref = await lastWords.start({ args: [file] });
    ref.exit(reason);
    expect(await ref.ended()).toBe(reason);
    expect(words()).toBe(said);
    expect(crashes).toEqual([]);
  });

  test('also after a crash, which is reported once', async () => {
    const crashes = reportsOf('crash');
    const ref = await lastWords.start({ args: [file] });
    await expect(ref.call('crash')).rejects.toMatchObject({ reason: { message: 'on purpose' } });
    expect(await ref.ended()).toMatchObject({ name: 'TypeError', message: 'on purpose' });
    expect(words()).toBe('TypeError: on purpose');
    expect(crashes).toHaveLength(1);
  });

  test('a terminate that throws is a crash', async () => {
    const crashes = reportsOf('crash');
    const ref = await lastWords.start({ args: [file, true] });
    ref.exit('shutdown');
    expect(await ref.ended()).toMatchObject({ name: 'RangeError', message: 'in terminate' });
    expect(crashes).toHaveLength(1);
  });

  test('a kill leaves no time for it', async () => {
    const ref = await lastWords.start({ args: [file] });
    ref.exit('kill');
    expect(await ref.ended()).toBe('killed');
    expect(existsSync(file)).toBe(false);
  });

  test('a handler at work learns by its signal, and its answer still counts', async () => {
    const ref = await numbers.start({ args: [0] });
    const waiting = ref.call('wait');
    await vi.waitFor(() => expect(ref.process().handling?.name).toBe('wait'), 10_000);
    ref.exit('shutdown');
    expect(await waiting).toBe('asked to end: shutdown');
    expect(await ref.ended()).toBe('shutdown');
  });

  test('a server that is killed from within answers nobody', async () => {
    const ref = await numbers.start({ args: [0] });
    await expect(ref.call('suicide')).rejects.toMatchObject({ code: 'call-failed', reason: 'killed' });
    expect(await ref.ended()).toBe('killed');
  });
});

describe('what goes wrong in the thread', () => {
  test('an init that throws fails the start', async () => {
    await expect(numbers.start({ args: [-1] })).rejects.toMatchObject({
      code: 'start-failed',
      reason: { name: 'RangeError', message: 'negative' },
    });
  });

  test('a handler that throws ends the process with the same error, reported once', async () => {
    const crashes: unknown[] = [];
    const silence = onReport((report) => report.kind === 'crash' && crashes.push(report.reason));
    const ref = await numbers.start({ args: [0] });
    const error = await ref.call('crash').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CallError);
    expect(error).toMatchObject({ reason: { name: 'TypeError', message: 'on purpose', code: 'EPURPOSE' } });
    expect(await ref.ended()).toBe((error as CallError).reason);
    silence();
    expect(crashes).toHaveLength(1);
  });

  test('a ReplyError is an answer, as is what cannot be copied', async () => {
    const ref = await numbers.start({ args: [0] });
    await expect(ref.call('refuse')).rejects.toMatchObject({ name: 'ReplyError', message: 'not today' });
    await expect(ref.call('secret')).rejects.toThrow('could not be cloned');
    await expect(ref.call('add', (() => 1) as unknown as number)).rejects.toThrow(
      "what 'add' is given cannot be copied",
    );
    await expect(ref.call('none' as 'refuse')).rejects.toThrow("no public method 'none'");
    expect(await ref.call('add', 1)).toBe(1);
  });

  test('its end is the end, normal or not', async () => {
    const ref = await numbers.start({ args: [0] });
    ref.cast('quit');
    expect(await ref.ended()).toBe('normal');
    const other = await numbers.start({ args: [0] });
    other.cast('leave');
    expect(await other.ended()).toMatchObject({ code: 'worker-exit', message: expect.stringContaining('3') });
  });

  test('an answer that will not come is refused with the end of the thread', async () => {
    const ref = await numbers.start({ args: [0] });
    await expect(ref.call('leave')).rejects.toMatchObject({ reason: { code: 'worker-exit' } });
    const other = await numbers.start({ args: [0] });
    other.cast('reject');
    expect(await other.ended()).toMatchObject({ name: 'RangeError', message: 'for nobody' });
  });

  test('no more memory: only the thread dies', async () => {
    const ref = await numbers.start({ args: [0], resourceLimits: { maxOldGenerationSizeMb: 32 } });
    ref.cast('eat');
    expect(await ref.ended()).toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' });
  });
});

describe('an endless loop is ended', () => {
  // Not only the process here: its thread, too.
  const threads = () => readdirSync('/proc/self/task').length;
  let before = 0;
  beforeAll(async () => {
    if (process.platform !== 'linux') return;
    // With what the first worker starts for all of them.
    const first = await numbers.start({ args: [0] });
    before = threads() - 1;
    first.exit('kill');
    await vi.waitFor(() => expect(threads()).toBeLessThanOrEqual(before), { timeout: 10_000 });
  });
  afterEach(async () => {
    if (process.platform !== 'linux') return;
    await vi.waitFor(() => expect(threads()).toBeLessThanOrEqual(before), { timeout: 10_000 });
  });

  test('by its time-out', async () => {
    const ref = await numbers.start({ args: [0], timeoutMs: 300 });
    await expect(ref.call('spin')).rejects.toBeInstanceOf(CallError);
    expect(await ref.ended()).toMatchObject({
      code: 'worker-timeout',
      message: "'spin' took longer than 300 ms",
    });
  });

  test('by kill', async () => {
    const ref = await numbers.start({ args: [0] });
    ref.cast('spin');
    ref.exit('kill');
    expect(await ref.ended()).toBe('killed');
  });

  test('by its supervisor, after the time for its shutdown; and a crash restarts it', async () => {
    const top = await startSupervisor(
      supervisor({ children: [numbers.child({ args: [7], name: 'numbers', shutdown: 50 })] }),
    );
    const ref = named<Numbers>('numbers');
    const again = new Promise<void>((resolve) => {
      const stop = onReport(({ kind, process }) => {
        if (kind !== 'progress' || process.name !== 'numbers') return;
        stop();
        resolve();
      });
    });
    await ref.call('add', 1);
    ref.cast('crash');
    await again;
    expect(await ref.call('add', 0)).toBe(7);
    ref.cast('spin');
    expect(await top.stop()).toBe('normal');
  });
});

test('one name for one class', () => {
  class Twice extends Server {}
  workerServer(Twice, 'file:///a');
  workerServer(Twice, 'file:///b');
  expect(() => workerServer(Twice, 'file:///a')).toThrow('two classes named Twice');
});

test('in a bundle, the thread is the app again, in which run does nothing', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-worker-'));
  try {
    const library = JSON.stringify(join(import.meta.dirname, '../index.ts'));
    writeFileSync(
      join(folder, 'double.ts'),
      `import { Server, workerServer } from ${library};
       export class Double extends Server { of(n: number): number { return n * 2; } }
       export const double = workerServer(Double, import.meta.url);`,
    );
    writeFileSync(
      join(folder, 'app.ts'),
      `import { run } from ${library};
       import { double } from './double.ts';
       await run(async () => {
         const ref = await double.start();
         console.log('it is', await ref.call('of', 21));
         ref.exit('shutdown');
         process.exit(0);
       });`,
    );
    const outfile = join(folder, 'app.mjs');
    await build({
      entryPoints: [join(folder, 'app.ts')],
      outfile,
      bundle: true,
      platform: 'node',
      format: 'esm',
    });
    const said = execFileSync(process.execPath, [outfile], { encoding: 'utf8', timeout: 20_000 });
    expect(said).toBe('it is 42\n');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
