import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { logging } from '../logger/index.ts';
import { PortBusyError, PortError, PortExitError } from './errors.ts';
import { GUARD_FD, launch } from './launch.ts';
import { openPort, type Port } from './port.ts';

/** Of this repository, for this machine. */
const HEART = join(
  import.meta.dirname,
  `../../../firmware/heart/prebuilt/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}/heart`,
);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-port-'));
  logging.setLevel('port', 'none');
});
afterAll(() => {
  rmSync(folder, { recursive: true });
  logging.resetLevel('port');
});

function script(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o755 });
  return path;
}
const sh = (code: string) => ({ command: 'sh', args: ['-c', code] });
/** A zombie is not alive: its parent is no more, and who reaps it instead is not our business. */
function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return process.platform !== 'linux' || statOf(String(pid))?.state !== 'Z';
}
const gone = (pid: number) =>
  vi.waitFor(() => expect(alive(pid)).toBe(false), { timeout: 10_000, interval: 10 });
async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.fail('it did not fail'),
    (error: Error) => error,
  );
}

/** Its frames, whatever it ended with. */
async function framesOf<F>(port: Port<F>): Promise<F[]> {
  const frames: F[] = [];
  for (;;) {
    const frame = await port.receive().catch(() => undefined);
    if (frame === undefined) return frames;
    frames.push(frame);
  }
}

describe.each([
  ['with heart', HEART],
  ['without heart', false],
] as const)('%s', (_, heart) => {
  test('frames of all sizes come back, and then the end', async () => {
    const port = await openPort({ command: 'cat', packet: 4, heart });
    const sizes = [0, 1, 255, 256, 65_535, 65_536, 1_000_000];
    const sent = sizes.map((size) => Buffer.alloc(size, size));
    const sending = Promise.all(sent.map((frame) => port.send(frame)));
    for (const frame of sent) expect(frame.equals((await port.receive()) ?? Buffer.from('none'))).toBe(true);
    await sending;
    expect(await port.stop()).toMatchObject({ status: 0, signal: undefined });
    expect(await port.receive()).toBeUndefined();
    expect(await port.ended).toBeUndefined();
  });

  test('status and last words', async () => {
    const port = await openPort({ ...sh('echo one >&2; echo two >&2; exit 7'), heart });
    const error = await failure(port.receive());
    expect(error).toBeInstanceOf(PortExitError);
    expect(error).toMatchObject({ status: 7, signal: undefined, lastLines: ['one', 'two'] });
    expect(error.message).toBe('sh ended with status 7; it last said:\n  one\n  two');
    expect(await port.ended).toBe(error);
  });

  test('a signal', async () => {
    const port = await openPort({ ...sh('kill -USR1 $$'), line: true, heart });
    expect(await failure(port.receive())).toMatchObject({ status: undefined, signal: 'SIGUSR1' });
  });

  test('what it has started ends with it, also what holds its pipes', async () => {
    const port = await openPort({ ...sh('sleep 1000 & echo $!; exit 0'), line: true, heart });
    const grandchild = Number(await port.receive());
    expect(grandchild).toBeGreaterThan(1);
    expect(await port.receive()).toBeUndefined();
    await gone(grandchild);
    await gone(port.pid);
  });

  test('arguments, environment and folder are as given', async () => {
    const port = await openPort({
      ...{ command: 'sh', args: ['-c', 'pwd; echo "$A-$HOME"; echo "$1|$2"', '-', 'a b', '"$c\'\n'.trim()] },
      ...{ cwd: folder, env: { A: 'x', PATH: process.env.PATH }, line: true as const, heart },
    });
    expect(await framesOf(port)).toEqual([folder, 'x-', `a b|"$c'`]);
  });
});

describe('a stop', () => {
  test('closes the input, and who ends by that has all the time it is given', async () => {
    const port = await openPort({
      ...{
        command: script('flush', '#!/bin/sh\nwhile read x; do :; done; echo flushed; exit 3'),
        line: true,
      },
      stop: { closeMs: 20_000 },
    });
    await port.send('go');
    expect(await port.stop()).toMatchObject({ status: 3, signal: undefined });
    expect(await port.receive()).toBe('flushed');
  });

  test('then SIGTERM', async () => {
    const port = await openPort({
      ...sh('trap "echo asked; exit 4" TERM; echo up; while :; do sleep 0.05; done'),
      ...{ line: true as const, stop: { closeMs: 10, termMs: 20_000 } },
    });
    expect(await port.receive()).toBe('up');
    expect(await port.stop()).toMatchObject({ status: 4 });
    expect(await port.receive()).toBe('asked');
  });

  test('then SIGKILL, to its grandchildren, too', async () => {
    const port = await openPort({
      ...sh('trap "" TERM; sh -c "while :; do sleep 0.05; done" & echo $!; while :; do sleep 0.05; done'),
      ...{ line: true as const, stop: { closeMs: 10, termMs: 50 } },
    });
    const grandchild = Number(await port.receive());
    expect(await port.stop()).toMatchObject({ status: undefined, signal: 'SIGKILL' });
    await gone(grandchild);
  });

  test('reads on: who writes to a full pipe can end by itself', async () => {
    const port = await openPort({
      ...sh('head -c 1000000 /dev/zero; read x; exit 5'),
      ...{ raw: true as const, stop: { closeMs: 20_000 } },
    });
    expect(await port.stop()).toMatchObject({ status: 5 });
    const bytes = (await framesOf(port)).reduce((sum, chunk) => sum + chunk.length, 0);
    expect(bytes).toBe(1_000_000);
  });
});

describe('back-pressure', () => {
  test('a program whose frames nobody takes waits, and this program keeps a bounded amount', async () => {
    const marker = join(folder, 'written');
    const port = await openPort({
      ...sh(`head -c 20000000 /dev/zero; echo done >${marker}; sleep 1000`),
      raw: true,
    });
    const before = process.memoryUsage().arrayBuffers;
    let read = (await port.receive())?.length ?? 0;
    // Time to read it all, if it were read: that nothing happens cannot be awaited.
    await setTimeout(500);
    expect(existsSync(marker)).toBe(false);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4_000_000);
    while (read < 20_000_000) read += (await port.receive())?.length ?? 0;
    await vi.waitFor(() => expect(existsSync(marker)).toBe(true), { timeout: 10_000 });
    await port.stop();
  });

  test('send waits for a slow reader, and refuses what would pile up without end', async () => {
    const port = await openPort({
      ...sh('read go </dev/fd/3 2>/dev/null; sleep 1000'),
      ...{ packet: 4 as const, maxUnsent: 1_000_000 },
    });
    const frame = Buffer.alloc(500_000);
    let taken = 0;
    const sends = Array.from({ length: 5 }, () => port.send(frame).then(() => taken++));
    const results = Promise.allSettled(sends);
    await port.send(Buffer.alloc(0)).catch((error) => expect(error).toBeInstanceOf(PortBusyError));
    expect(taken).toBeLessThan(5);
    port.kill();
    const reasons = (await results).flatMap((result) =>
      result.status === 'rejected' ? [result.reason] : [],
    );
    expect(reasons.length).toBeGreaterThan(1);
    expect(reasons.at(-1)).toBeInstanceOf(PortBusyError);
    expect(reasons[0]).toMatchObject({ code: 'port-exit', signal: 'SIGKILL' });
  });
});

test('many frames without bytes are too many, too', async () => {
  const port = await openPort({ ...sh('exec sleep 1000'), packet: 4 });
  const sends: Promise<unknown>[] = [];
  let refused = false;
  while (!refused && sends.length < 100_000) {
    const send = port.send(Buffer.alloc(0)).catch((error: unknown) => {
      refused ||= error instanceof PortBusyError;
    });
    sends.push(send);
    if (sends.length % 10_000 === 0) await Promise.race([send, setTimeout(0)]);
  }
  expect(refused).toBe(true);
  port.kill();
  await Promise.all(sends);
});

test('a program that waits for the end of its input answers after it', async () => {
  const port = await openPort({ command: 'sort', line: true });
  for (const word of ['pear', 'apple', 'fig']) await port.send(word);
  port.endInput();
  expect(await framesOf(port)).toEqual(['apple', 'fig', 'pear']);
  expect(port.exit).toMatchObject({ status: 0 });
  expect(await failure(port.send('late'))).toMatchObject({ code: 'port-input' });
});

test('times without end are none', async () => {
  const port = await openPort({ command: 'cat', line: true, stop: { closeMs: Infinity } });
  const answer = port.receive(1e12);
  await port.send('slow');
  expect(await answer).toBe('slow');
  expect(await port.stop()).toMatchObject({ status: 0 });
});

function statOf(pid: string): { command: string; state: string; group: number } | undefined {
  try {
    const [, command, state, , group] =
      /^\d+ \((.*)\) (\S) (\d+) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return command === undefined || state === undefined
      ? undefined
      : { command, state, group: Number(group) };
  } catch {
    return undefined;
  }
}

describe('output', () => {
  test('a frame that is too large ends the program, and what came before is there', async () => {
    const port = await openPort({
      ...sh(String.raw`printf '\0\2ab\0\11'; sleep 1000`),
      ...{ packet: 2 as const, maxFrame: 8 },
    });
    expect(String(await port.receive())).toBe('ab');
    const error = await failure(port.receive());
    expect(error).toMatchObject({ code: 'port-frame' });
    expect(error.message).toContain('a frame of 9 bytes is more than this port takes: 8 bytes');
    expect(port.exit?.signal).toBe('SIGKILL');
  });

  test('a frame that is cut off is an error', async () => {
    const port = await openPort({ ...sh(String.raw`printf '\0\2ab\0\4abc'`), packet: 2 });
    expect(String(await port.receive())).toBe('ab');
    expect(await failure(port.receive())).toMatchObject({ code: 'port-frame' });
  });

  test('a flood on standard error does not stop it, and is not kept', async () => {
    const port = await openPort({
      ...sh(
        'i=0; while [ $i -lt 20 ]; do head -c 200000 /dev/zero | tr "\\0" x >&2; echo >&2; i=$((i+1)); done; echo ok',
      ),
      line: true,
    });
    expect(await port.receive()).toBe('ok');
    await port.ended;
    expect(port.lastLines).toHaveLength(20);
    expect(port.lastLines.join('').length).toBeLessThanOrEqual(20_000);
  });

  test('by descriptors 3 and 4, its standard output being logged', async () => {
    const port = await openPort({
      ...sh('echo hello; echo oops >&2; while read x <&3; do echo "got $x" >&4; done; exit 2'),
      ...{ line: true as const, io: 'fd3' as const, stop: { closeMs: 20_000 } },
    });
    await port.send('a');
    expect(await port.receive()).toBe('got a');
    expect(await port.stop()).toMatchObject({ status: 2 });
    expect([...port.lastLines].sort()).toEqual(['hello', 'oops']);
  });

  test('silence has a limit where one is given', async () => {
    const port = await openPort({ command: 'cat', line: true });
    expect(await failure(port.receive(20))).toMatchObject({ code: 'port-timeout' });
    await port.send('late');
    expect(await port.receive(10_000)).toBe('late');
    await port.stop();
  });
});

describe('what cannot start says so at once', () => {
  test.each([
    ['no such program', { command: 'no-such-program' }, 'there is no program no-such-program, in PATH: '],
    ['no such path', { command: '/no/such/program' }, 'there is no program /no/such/program'],
    ['a folder', { command: '/tmp' }, 'there is no program /tmp'],
    [
      'no such folder',
      { command: 'cat', cwd: '/no/such' },
      'cat cannot be started in /no/such: no such folder',
    ],
    ['a user without heart', { command: 'cat', user: 'nobody', heart: false }, 'there is no heart'],
    ['no such heart', { command: 'cat', heart: '/no/heart' }, 'there is no heart at /no/heart'],
  ] as const)('%s', async (_, options, message) => {
    const error = await failure(openPort(options));
    expect(error).toBeInstanceOf(PortError);
    expect(error).toMatchObject({ code: 'port-start' });
    expect(error.message).toContain(message);
  });

  test('no permission', async () => {
    const path = script('locked', '#!/bin/sh\n');
    writeFileSync(path, '', { mode: 0o644 });

    chmodSync(path, 0o644);
    expect((await failure(openPort({ command: path }))).message).toContain(
      'may not be executed by this user',
    );
  });

  test('an interpreter that is missing is the end of it, told by status and message', async () => {
    const command = script('lost', '#!/no/interpreter\n');
    const port = await openPort({ command, heart: HEART });
    expect(await failure(port.receive())).toMatchObject({
      status: 127,
      lastLines: [expect.stringContaining('lost')],
    });
  });

  test('a program that is gone is not sent to', async () => {
    const port = await openPort({ ...sh('exit 1'), line: true });
    await port.ended;
    expect(await failure(port.send('x'))).toMatchObject({ code: 'port-exit', status: 1 });
  });

  test('a program that reads no more is not sent to, either', async () => {
    const port = await openPort({ ...sh('exec <&-; echo closed; sleep 1000'), line: true });
    expect(await port.receive()).toBe('closed');
    expect(await failure(port.send('x'))).toMatchObject({ code: 'port-input' });
    await port.stop();
  });
});

test.each(['cold', 'warm'])(
  'without descriptors nothing starts, and that is told as an error (%s)',
  (how) => {
    const fixture = join(import.meta.dirname, 'crowded.fixture.ts');
    const run = 'ulimit -n 60 && exec "$@"';
    const { status, stdout, stderr } = spawnSync(
      'sh',
      ['-c', run, 'sh', process.execPath, ...process.execArgv, fixture, how],
      { encoding: 'utf8', timeout: 60_000 },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const answers = JSON.parse(stdout) as string[];
    expect(answers[0]).toBe('port-start EMFILE');
    expect(answers.at(-1)).toBe('hello');
    expect(new Set(answers)).toEqual(new Set(['port-start EMFILE', 'hello']));
  },
);

test('a cgroup that cannot be entered matters only where there are limits', () => {
  const { file, args, env } = launch({ command: 'echo', args: ['ran'] });
  const run = (limited: boolean) =>
    spawnSync(file, args('/no/such/cgroup', limited), {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe', ...new Array<'ignore'>(GUARD_FD - 3).fill('ignore'), 'pipe'],
    });
  expect(run(false)).toMatchObject({ status: 0, stdout: 'ran\n' });
  expect(run(true)).toMatchObject({ status: 125, stdout: '' });
});

test.runIf(process.getuid?.() === 0)('as another user, by name', async () => {
  const port = await openPort({ ...sh('id -un; id -G'), line: true, user: 'nobody', heart: HEART, cwd: '/' });
  const [user, groups] = await framesOf(port);
  expect(user).toBe('nobody');
  expect(groups).toMatch(/^\d+$/);
});
