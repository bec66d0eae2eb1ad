/**
 * The drop-in for Erlang's heart: asked the same things as Erlang's own, it answers the same bytes; and a real
 * Erlang virtual machine runs under it.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { alive, buildSanitizedHeart, heart, run, scratch, start, until } from './programs.ts';

const erlangRoot = '/usr/lib/erlang';
const erts = readdirSync(erlangRoot).find((name) => name.startsWith('erts-')) ?? 'erts';
const theirs = join(erlangRoot, erts, 'bin/heart');

const folder = mkdtempSync(join(tmpdir(), 'heart-test-'));
let sanitized = '';
beforeAll(() => {
  sanitized = buildSanitizedHeart(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const ACK = 1;
const BEAT = 2;
const SHUT_DOWN = 3;
const SET_CMD = 4;
const CLEAR_CMD = 5;
const GET_CMD = 6;
const PREPARING_CRASH = 8;
function frame(op: number, payload: string | Uint8Array = ''): Buffer {
  const body = Buffer.concat([Buffer.from([op]), Buffer.from(payload)]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return Buffer.concat([length, body]);
}

/** What a heart answers to these frames and then the end of its input. The command's own output comes after. */
function answers(program: string, frames: Uint8Array[], env: NodeJS.ProcessEnv = {}) {
  const { status, signal, stdout } = run(program, [], { input: Buffer.concat(frames), env });
  return { status, signal, stdout };
}

describe('the same frames get the same answers as from Erlang’s own', () => {
  const long = (length: number) => `true #${'x'.repeat(length - 6)}`;
  const cases: [string, Uint8Array[], NodeJS.ProcessEnv?][] = [
    ['nothing', []],
    ['nothing, with a command', [], { HEART_COMMAND: 'echo ran' }],
    ['SHUT_DOWN, with a command', [frame(SHUT_DOWN)], { HEART_COMMAND: 'echo ran' }],
    ['beats', [frame(BEAT), frame(BEAT)]],
    ['a command that fails', [frame(SET_CMD, 'echo ran; exit 7')]],
    [
      'set, get, clear, get',
      [frame(SET_CMD, ': abc'), frame(GET_CMD), frame(CLEAR_CMD), frame(GET_CMD)],
      { HEART_COMMAND: 'echo environment' },
    ],
    ['an empty command', [frame(SET_CMD), frame(GET_CMD)], { HEART_COMMAND: 'echo environment' }],
    ['a command with a NUL', [frame(SET_CMD, ': ab\0cd'), frame(GET_CMD)]],
    ...[2045, 2046, 2047, 2048].map((n): [string, Uint8Array[]] => [
      `a command of ${n} bytes`,
      [frame(SET_CMD, long(n)), frame(GET_CMD)],
    ]),
    ...[2047, 2048, 3000].map((n): [string, Uint8Array[], NodeJS.ProcessEnv] => [
      `${n} bytes in HEART_COMMAND`,
      [frame(GET_CMD)],
      { HEART_COMMAND: long(n) },
    ]),
    ['an empty frame', [Buffer.alloc(2), frame(GET_CMD)]],
    [
      'a frame that is far too long',
      [frame(SET_CMD, long(60_000)), frame(GET_CMD)],
      { HEART_COMMAND: 'true' },
    ],
    ['unknown operations', [frame(99, 'x'), frame(0), frame(ACK), frame(GET_CMD)]],
    ['a frame cut short', [Buffer.from([0, 5, SET_CMD, 0x3a])]],
    ['a length cut short', [Buffer.from([0])]],
    ['PREPARING_CRASH', [frame(PREPARING_CRASH), frame(GET_CMD)], { HEART_COMMAND: 'echo ran' }],
    [
      'PREPARING_CRASH, waiting for the dump',
      [frame(PREPARING_CRASH)],
      { HEART_COMMAND: 'echo ran', ERL_CRASH_DUMP_SECONDS: '-1' },
    ],
  ];
  test.each(cases)('%s', (_name, frames, env) => {
    const expected = answers(theirs, frames, env);
    expect(answers(heart, frames, env)).toEqual(expected);
    expect(answers(sanitized, frames, env)).toEqual(expected);
  });

  test('any sequence of frames', () => {
    // The command is a comment: whatever stands in it is executed by a shell at the end.
    const command = fc
      .uint8Array({ maxLength: 2100 })
      .map((bytes) => Buffer.concat([Buffer.from('# '), bytes.map((b) => (b === 10 ? 0 : b))]));
    const one = fc.oneof(
      command.map((text) => frame(SET_CMD, text)),
      fc.constantFrom(BEAT, CLEAR_CMD, GET_CMD, 0, 1, 7, 9, 200).map((op) => frame(op)),
      fc.constant(Buffer.alloc(2)),
    );
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), (frames) => {
        expect(answers(sanitized, frames)).toEqual(answers(theirs, frames));
      }),
      { numRuns: 40 },
    );
  });
});

describe('the machine’s end', () => {
  const RAN = { HEART_COMMAND: 'echo ran' };
  /** A heart that guards a process which never ends by itself. */
  async function guard(args: string[] = [], env: NodeJS.ProcessEnv = {}) {
    const machine = spawn('sleep', ['1000']);
    onTestFinished(() => {
      machine.kill('SIGKILL');
    });
    await once(machine, 'spawn');
    const ended = once(machine, 'exit');
    const guardian = start(heart, ['-pid', String(machine.pid), ...args], { ...RAN, ...env });
    await until('ACK', () => guardian.stdout() === '\0\x01\x01');
    return { machine, ended, guardian, began: performance.now() };
  }

  test('a missed beat: killed within the timeout + 0.5 s, from 1 s on, and the command is run', async () => {
    const { machine, guardian, ended } = await guard(['-ht', '1']);
    guardian.child.stdin.write(frame(BEAT));
    const beaten = performance.now();
    expect(await ended).toEqual([null, 'SIGKILL']);
    const took = performance.now() - beaten;
    expect(took).toBeGreaterThan(950);
    expect(took).toBeLessThan(1500);
    expect(await guardian.ended).toMatchObject({ status: 0, stdout: '\0\x01\x01ran\n' });
    expect(alive(machine.pid ?? 0)).toBe(false);
  });

  test('beats keep it alive; HEART_BEAT_TIMEOUT counts when -ht is not given', async () => {
    const { machine, guardian, began, ended } = await guard([], { HEART_BEAT_TIMEOUT: '1' });
    const beats = setInterval(() => guardian.child.stdin.write(frame(BEAT)), 100);
    await until('longer than the timeout', () => performance.now() - began > 1600);
    expect(alive(machine.pid ?? 0)).toBe(true);
    clearInterval(beats);
    expect(await ended).toEqual([null, 'SIGKILL']);
  });

  test('a closed pipe: the machine’s orderly end is waited for, no longer than it takes', async () => {
    const { machine, guardian } = await guard();
    guardian.child.stdin.end();
    await until('it says so', () => guardian.stderr().includes('Erlang has closed'));
    machine.kill('SIGTERM');
    const gone = performance.now();
    expect(await guardian.ended).toMatchObject({
      status: 0,
      stdout: '\0\x01\x01ran\n',
      stderr: expect.not.stringContaining('killing'),
    });
    // Erlang's own looks once a second.
    expect(performance.now() - gone).toBeLessThan(900);
  });

  test('a closed pipe and a machine that stays: killed after 5 s, by the wanted signal', async () => {
    const { guardian, began, ended } = await guard([], { HEART_KILL_SIGNAL: 'SIGABRT' });
    guardian.child.stdin.end();
    expect(await ended).toEqual([null, 'SIGABRT']);
    expect(performance.now() - began).toBeGreaterThan(4900);
    expect(await guardian.ended).toMatchObject({ stdout: '\0\x01\x01ran\n' });
  });

  test('HEART_NO_KILL=TRUE runs the command beside a living machine', async () => {
    const { machine, guardian } = await guard(['-ht', '1'], { HEART_NO_KILL: 'TRUE' });
    expect(await guardian.ended).toMatchObject({ stdout: '\0\x01\x01ran\n' });
    expect(alive(machine.pid ?? 0)).toBe(true);
  });

  test('without a command nothing is killed, as Erlang’s own has it', async () => {
    const { machine, guardian } = await guard(['-ht', '1'], { HEART_COMMAND: '' });
    expect(await guardian.ended).toMatchObject({
      status: 0,
      stderr: expect.stringContaining('no command is set'),
    });
    expect(alive(machine.pid ?? 0)).toBe(true);
  });
});

describe('a real Erlang virtual machine', () => {
  /** Starts `erl -heart` with a folder of binaries in which heart is ours. */
  function erl(program: string, env: NodeJS.ProcessEnv = {}) {
    const bin = scratch();
    const from = join(erlangRoot, erts, 'bin');
    for (const name of readdirSync(from))
      symlinkSync(name === 'heart' ? heart : join(from, name), join(bin, name));
    return start(join(bin, 'erlexec'), ['-heart', '-noshell', '-eval', program], {
      ROOTDIR: erlangRoot,
      BINDIR: bin,
      EMU: 'beam',
      PROGNAME: 'erl',
      ...env,
    });
  }
  const UP = 'io:format("up~n").';
  /** heart's process: the one that was started with the machine's pid. */
  function guardianOf(pid: number): number | undefined {
    return readdirSync('/proc')
      .map(Number)
      .find((candidate) => {
        try {
          return (
            candidate > 0 &&
            readFileSync(`/proc/${candidate}/cmdline`, 'utf8').startsWith(`heart\0-pid\0${pid}\0`)
          );
        } catch {
          return false;
        }
      });
  }

  test('asks for, sets and clears its command; init:stop() ends both without running it', async () => {
    const vm = erl(
      'io:format("~p~n", [heart:get_cmd()]), ok = heart:set_cmd("echo changed"), io:format("~p~n", [heart:get_cmd()]),' +
        'ok = heart:clear_cmd(), io:format("~p~n", [heart:get_cmd()]), init:stop().',
      { HEART_COMMAND: 'echo restarted' },
    );
    const { status, stdout } = await vm.ended;
    expect({ status, stdout }).toEqual({
      status: 0,
      stdout: '{ok,"echo restarted"}\n{ok,"echo changed"}\n{ok,"echo restarted"}\n',
    });
  });

  test('killed: its command is run', async () => {
    const mark = join(scratch(), 'restarted');
    const vm = erl(UP, { HEART_COMMAND: `touch ${mark}` });
    await until('up', () => vm.stdout().includes('up'));
    const guardian = await until('heart', () => guardianOf(vm.child.pid ?? 0));
    expect(readlinkSync(`/proc/${guardian}/exe`)).toBe(heart);
    vm.child.kill('SIGKILL');
    await until('the command has run', () => existsSync(mark));
    await until('heart has ended', () => !alive(guardian));
  });

  test('stopped: killed at its timeout + 0.5 s at most, and its command is run', async () => {
    // The machine beats every 5 s, so that 6 s is about the shortest that it can keep.
    const mark = join(scratch(), 'restarted');
    const vm = erl(UP, { HEART_COMMAND: `touch ${mark}`, HEART_BEAT_TIMEOUT: '6' });
    await until('up', () => vm.stdout().includes('up'));
    const pid = vm.child.pid ?? 0;
    await until('heart', () => guardianOf(pid));
    execFileSync('kill', ['-STOP', String(pid)]);
    const stopped = performance.now();
    await until('it is killed', () => !alive(pid));
    expect(performance.now() - stopped).toBeLessThan(6500);
    await until('the command has run', () => existsSync(mark));
  });
});
