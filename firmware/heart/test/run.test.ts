/** heart -- PROGRAM: supervision of an ordinary program, with real signals and real time. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alive, buildSanitizedHeart, children, heart, scratch, start, until } from './programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'heart-test-'));
/** Both builds must do the same: the one that ships, and the one that the sanitizers watch. */
const builds: Record<string, string> = { shipped: heart };
beforeAll(() => {
  builds.sanitized = buildSanitizedHeart(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A program that beats every 100 ms, for as long as it is let. */
const BEATS = `
const net = require('node:net');
const heart = new net.Socket({ fd: Number(process.env.HEART_FD) });
heart.once('data', (bytes) => console.log('heart says', bytes.toString('hex')));
const beat = () => heart.write(Buffer.from([0, 1, 2]));
setInterval(beat, 100);
beat();
`;

function supervised(build: string, script: string, env: NodeJS.ProcessEnv = {}) {
  const file = join(scratch(), 'program.cjs');
  writeFileSync(file, script);
  const running = start(builds[build] ?? '', ['--', process.execPath, file], env);
  const pid = running.child.pid ?? 0;
  return {
    ...running,
    pid,
    program: (not = 0) => until('the program', () => children(pid).find((child) => child !== not)),
  };
}

describe.each(['shipped', 'sanitized'])('%s', (build) => {
  test('the end with status 0 is the end', async () => {
    expect(await supervised(build, '').ended).toMatchObject({ status: 0 });
  });

  test('what cannot be executed is not tried again', async () => {
    const missing = start(builds[build] ?? '', ['--', '/no/such/program']);
    expect(await missing.ended).toMatchObject({
      status: 127,
      stderr: expect.stringContaining('cannot execute /no/such/program'),
    });
  });

  test('HEART_FD and HEART_BEAT_TIMEOUT are in its environment; the socket greets it with ACK', async () => {
    const s = supervised(
      build,
      `${BEATS}console.log(process.env.HEART_FD, process.env.HEART_BEAT_TIMEOUT);`,
      {
        HEART_BEAT_TIMEOUT: '7',
      },
    );
    await until('both lines', () => /^3 7$/m.test(s.stdout()) && /heart says 000101/.test(s.stdout()));
    s.child.kill('SIGTERM');
    await s.ended;
  });

  test('a program that never beats is left in peace', async () => {
    const s = supervised(build, 'setTimeout(() => process.exit(0), 1500)', { HEART_BEAT_TIMEOUT: '1' });
    expect(await s.ended).toMatchObject({ status: 0, stderr: expect.not.stringContaining('killing') });
  });

  test('a program that hangs is killed within the timeout + 0.5 s, and started again', async () => {
    const s = supervised(build, BEATS, { HEART_BEAT_TIMEOUT: '1' });
    const pid = await s.program();
    await until('it beats', () => s.stdout().includes('heart says'));
    process.kill(pid, 'SIGSTOP');
    const stopped = performance.now();
    await until('it is killed', () => !alive(pid));
    const took = performance.now() - stopped;
    // The last beat was up to 100 ms before the stop.
    expect(took).toBeGreaterThan(850);
    expect(took).toBeLessThan(1500);
    expect(await s.program(pid)).not.toBe(pid);
    await until('it says so', () => /has not beaten for 10\d\d ms: killing it/.test(s.stderr()));
  });

  test('PREPARING_CRASH is said; SHUT_DOWN ends the demand for beats, and makes any end an orderly one', async () => {
    const s = supervised(
      build,
      `const heart = new (require('node:net').Socket)({ fd: 3 });
       heart.write(Buffer.from([0, 1, 2, 0, 1, 8, 0, 1, 3]));
       setTimeout(() => process.exit(3), 1800);`,
      { HEART_BEAT_TIMEOUT: '1' },
    );
    expect(await s.ended).toMatchObject({ status: 3, stderr: expect.stringContaining('is crashing') });
  });

  test('SIGTERM is passed on, and the program’s own status is heart’s', async () => {
    const s = supervised(build, `${BEATS}process.on('SIGTERM', () => process.exit(42));console.log('up')`);
    await until('up', () => s.stdout().includes('up'));
    s.child.kill('SIGTERM');
    expect(await s.ended).toMatchObject({ status: 42 });
  });

  test('a program that ends by the passed-on signal gives 128 + the signal', async () => {
    const s = supervised(build, BEATS);
    await s.program();
    await until('it beats', () => s.stdout().includes('heart says'));
    s.child.kill('SIGINT');
    expect(await s.ended).toMatchObject({ status: 130 });
  });

  test('SIGTERM while it waits to start the program again ends it', async () => {
    const s = supervised(build, 'process.exit(5)');
    await until('the second back-off', () => s.stderr().includes('again in 1 s'));
    s.child.kill('SIGTERM');
    expect(await s.ended).toMatchObject({ status: 5 });
  });

  test('a flood of frames does not keep it from its other work', async () => {
    const s = supervised(
      build,
      `const heart = new (require('node:net').Socket)({ fd: 3 });
       const frames = Buffer.alloc(60000, Buffer.from([0, 1, 6]));
       const pour = () => { while (heart.write(frames)); heart.once('drain', pour); };
       pour(); setTimeout(() => process.exit(0), 300);`,
    );
    expect(await s.ended).toMatchObject({ status: 0 });
  });
});

test('kill -9 of the program: its restart has begun within 50 ms', async () => {
  // The fastest of three: the machine may be busy with others, heart may not be.
  const took: number[] = [];
  for (let i = 0; i < 3; i++) {
    const s = supervised('shipped', BEATS);
    const pid = await s.program();
    await until('it beats', () => s.stdout().includes('heart says'));
    const killed = performance.now();
    process.kill(pid, 'SIGKILL');
    await s.program(pid);
    took.push(performance.now() - killed);
    s.child.kill('SIGTERM');
    await s.ended;
  }
  expect(Math.min(...took)).toBeLessThan(50);
});

test('after five restarts within 120 s it gives up with status 1', async () => {
  // Backed off by 0, 1, 2, 4 and 8 s.
  const log = join(scratch(), 'log');
  const began = performance.now();
  const s = supervised(
    'shipped',
    `require('node:fs').appendFileSync(${JSON.stringify(log)}, 'x'); process.exit(9)`,
  );
  expect(await s.ended).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('was restarted 5 times within 120 s: giving up'),
  });
  expect(readFileSync(log, 'utf8')).toBe('xxxxxx');
  expect(performance.now() - began).toBeGreaterThan(15_000);
});
