/** heart exec, wait and resize-part, as real processes. Most of it needs root, as on a device. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { alive, buildSanitizedHeart, heart, run, scratch, start, until } from './programs.ts';

const MiB = 1024 * 1024;
const root = process.getuid?.() === 0;
const folder = mkdtempSync(join(tmpdir(), 'heart-test-'));
let sanitized = '';
beforeAll(() => {
  sanitized = buildSanitizedHeart(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Both builds must do the same: the one that ships, and the one that the sanitizers watch. */
function both(
  options: string[],
  program: string[],
): { status: number | null; stdout: string; stderr: string } {
  const args = ['exec', ...options, '--', ...program];
  const [a, b] = [run(heart, args), run(sanitized, args)];
  expect(b).toEqual(a);
  return a;
}
const sh = (options: string[], script: string) => both(options, ['/bin/sh', '-c', script]);

describe('exit status', () => {
  test('the program’s own', () => {
    expect(sh([], 'exit 7')).toEqual({ status: 7, signal: null, stdout: '', stderr: '' });
  });
  test('127 when there is no such program, 126 when it cannot be executed, as a shell has it', () => {
    const file = join(scratch(), 'not-a-program');
    writeFileSync(file, 'x');
    expect(both([], ['/no/such/program'])).toMatchObject({
      status: 127,
      stderr: 'heart exec: /no/such/program: No such file or directory\n',
    });
    expect(both([], [file])).toMatchObject({
      status: 126,
      stderr: `heart exec: ${file}: Permission denied\n`,
    });
  });
  test.each([
    [['--user', 'nobody-here'], 'no such user'],
    [['--groups', 'nobody,no-such-group'], 'no such group'],
    [['--rlimit', 'nofiles=3'], 'no such limit'],
    [['--rlimit', 'nofile=-3'], 'expected NAME=N'],
    [['--rlimit', 'nofile'], 'expected NAME=N'],
    [['--nice', '99'], 'unknown option or bad value'],
    [['--pdeathsig', 'SIGNONE'], 'no such signal'],
    [['--cgroup', '/nowhere/at/all'], 'No such file or directory'],
    [['--cwd', '/nowhere'], 'No such file or directory'],
    [['--colour', 'red'], 'unknown option'],
    [['--user'], 'its value is missing'],
  ])('125 when heart itself cannot: %j', (options, message) => {
    expect(both(options, ['/bin/true'])).toMatchObject({
      status: 125,
      stderr: expect.stringContaining(message),
    });
  });
  test('125 without a program', () => {
    expect(run(heart, ['exec', '--setsid'])).toMatchObject({
      status: 125,
      stderr: expect.stringContaining('no program given'),
    });
    expect(run(heart, ['exec', '--'])).toMatchObject({ status: 125 });
  });
});

describe.skipIf(!root)('as root', () => {
  test('--user takes the user’s own group and none of root’s', () => {
    expect(sh(['--user', 'nobody'], 'id -u; id -g; id -G').stdout).toBe('65534\n65534\n65534\n');
    expect(sh(['--user', '12345'], 'id -u; id -g; id -G').stdout).toBe('12345\n12345\n12345\n');
  });
  test('--groups are exactly the supplementary groups, by name or number', () => {
    expect(sh(['--user', 'nobody', '--groups', 'daemon,4242'], 'id -G').stdout).toBe('65534 1 4242\n');
  });
  test('root cannot be had back', () => {
    const status = sh(['--user', 'nobody'], 'grep -E "^(Uid|Gid|CapEff|CapPrm)" /proc/self/status').stdout;
    expect(status.replace(/\s+/g, ' ')).toBe(
      'Uid: 65534 65534 65534 65534 Gid: 65534 65534 65534 65534 CapPrm: 0000000000000000 CapEff: 0000000000000000 ',
    );
  });
  test('--cgroup makes it when missing, and moves there', () => {
    const mounted = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1];
    const group = `${mounted}/heart-exec-test-${process.pid}`;
    onTestFinished(() => {
      execFileSync('rmdir', [group]);
    });
    expect(sh(['--cgroup', group], 'grep ^0: /proc/self/cgroup').stdout).toBe(
      `0::${group.slice(mounted?.length)}\n`,
    );
  });
  test('--nice may go below 0, and --oom-score-adj is the program’s', () => {
    expect(sh(['--nice', '-5', '--oom-score-adj', '500'], 'nice; cat /proc/self/oom_score_adj').stdout).toBe(
      '-5\n500\n',
    );
  });
  test('--cwd is entered as the user, not as root', () => {
    const secret = scratch();
    chmodSync(secret, 0o700);
    expect(sh(['--cwd', secret], 'pwd').stdout).toBe(`${secret}\n`);
    expect(sh(['--user', 'nobody', '--cwd', secret], 'pwd')).toMatchObject({ status: 125 });
  });
  test('resize-part: the kernel takes a partition’s new size while the disk is in use', () => {
    const disk = join(scratch(), 'disk');
    writeFileSync(disk, '');
    truncateSync(disk, 16 * MiB);
    const loop = execFileSync('losetup', ['--find', '--show', '--partscan', disk], {
      encoding: 'utf8',
    }).trim();
    onTestFinished(() => {
      execFileSync('losetup', ['--detach', loop]);
    });
    // Without a table on it, so that the kernel need not know how to read one.
    execFileSync('addpart', [loop, '1', '2048', '8192']);
    const size = () => Number(readFileSync(`/sys/class/block/${basename(loop)}p1/size`, 'utf8')) * 512;
    expect(size()).toBe(4 * MiB);
    const held = openSync(`${loop}p1`, 'r');
    expect(run(heart, ['resize-part', loop, '1', String(MiB), String(8 * MiB)])).toMatchObject({
      status: 0,
      stderr: '',
    });
    closeSync(held);
    expect(size()).toBe(8 * MiB);
    expect(run(heart, ['resize-part', loop, '2', String(MiB), String(MiB)])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`${loop} partition 2: No such device or address`),
    });
  });
});

test('--rlimit sets soft and hard, or both', () => {
  expect(
    sh(['--rlimit', 'nofile=100:200', '--rlimit', 'core=0'], 'ulimit -Sn; ulimit -Hn; ulimit -c').stdout,
  ).toBe('100\n200\n0\n');
});
test('--setsid starts a session of its own', () => {
  expect(sh(['--setsid'], 'test "$(ps -o sid= -p $$)" -eq $$ && echo own').stdout).toBe('own\n');
  // A leader of a process group cannot; that is no failure.
  expect(run('setsid', ['-w', heart, 'exec', '--setsid', '--', 'true']).status).toBe(0);
});
test('--no-new-privs', () => {
  expect(sh(['--no-new-privs'], 'grep NoNewPrivs /proc/self/status').stdout).toBe('NoNewPrivs:\t1\n');
  expect(sh([], 'grep NoNewPrivs /proc/self/status').stdout).toBe('NoNewPrivs:\t0\n');
});
test('arguments and environment are passed as they are, options after -- are the program’s', () => {
  expect(both([], ['printf', '%s|', '--user', 'a b', '', '--']).stdout).toBe('--user|a b||--|');
});

test('extra file descriptors are passed on: Node’s IPC channel works through it', async () => {
  const child = spawn(
    heart,
    ['exec', '--rlimit', 'core=0', '--', process.execPath, '-e', 'process.send({ hello: 1 })'],
    {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    },
  );
  const [message] = await once(child, 'message');
  expect(message).toEqual({ hello: 1 });
  await once(child, 'exit');
});

test.skipIf(!root)(
  '--pdeathsig holds through the change of user: the program dies with its parent',
  async () => {
    // node is the parent; it is killed, and the program must not outlive it.
    const parent = spawn(
      process.execPath,
      [
        '-e',
        `const c = require('child_process').spawn(process.argv[1], process.argv.slice(2)); console.log(c.pid); setInterval(() => {}, 1e9)`,
        heart,
        'exec',
        '--user',
        'nobody',
        '--pdeathsig',
        'KILL',
        '--',
        'sleep',
        '1000',
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [line] = await once(parent.stdout, 'data');
    const pid = Number(String(line));
    await until('sleep runs', () => readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep'));
    parent.kill('SIGKILL');
    await until('it dies', () => !alive(pid));
  },
);

describe('wait', () => {
  test('ends when a process that is no child of it ends', async () => {
    const sleeper = spawn('sleep', ['1000']);
    await once(sleeper, 'spawn');
    const waiter = start(heart, ['wait', String(sleeper.pid)]);
    await until('it waits in poll', () =>
      readFileSync(`/proc/${waiter.child.pid}/wchan`, 'utf8').includes('poll'),
    );
    expect(alive(waiter.child.pid ?? 0)).toBe(true);
    sleeper.kill();
    expect(await waiter.ended).toMatchObject({ status: 0, stderr: '' });
  });
  test('a process that is gone already is what was waited for', () => {
    expect(existsSync('/proc/4194304')).toBe(false);
    expect(run(heart, ['wait', '4194304']).status).toBe(0);
  });
  test.each([[[]], [['x']], [['0']], [['-1']], [['1', '2']]])('2 for wrong usage: %j', (args) => {
    expect(run(heart, ['wait', ...args])).toMatchObject({ status: 2, stderr: 'usage: heart wait PID\n' });
  });
});

test.each([[['nonsense']], [['--']], [['resize-part', '/dev/null', '0', '1', '1']], [['-x']]])(
  'wrong usage is 2 and says the usage: %j',
  (args) => {
    expect(run(heart, args)).toMatchObject({ status: 2, stderr: expect.stringMatching(/^usage: heart/) });
  },
);
