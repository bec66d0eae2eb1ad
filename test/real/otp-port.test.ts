import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { logging } from '../../src/otp/logger/index.ts';
import { openPort } from '../../src/otp/port/port.ts';

const ARCH = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
const HEART = join(import.meta.dirname, `../../firmware/heart/prebuilt/${ARCH}/heart`);

beforeEach(() => logging.setLevel('port', 'none'));
afterEach(() => logging.resetLevel('port'));

interface Stat {
  pid: number;
  parent: number;
  state: string;
}

function processes(): Stat[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const [, state = '', parent] = /\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        return [{ pid: Number(pid), parent: Number(parent), state }];
      } catch {
        return [];
      }
    });
}

/** Those that have this mark in their environment, as what they start has; zombies have none. */
function marked(mark: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
      } catch {
        return false;
      }
    })
    .map(Number);
}

describe.runIf(process.platform === 'linux').each([
  ['with heart', HEART],
  ['without heart', ''],
])('no process outlives its owner, %s', (_, heart) => {
  const own: ChildProcess[] = [];
  afterEach(() => {
    for (const child of own) child.kill('SIGKILL');
  });

  async function owner(how: string, mark: string): Promise<{ child: ChildProcess; pids: number[] }> {
    const script = join(import.meta.dirname, 'otp-port-owner.ts');
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script, how], {
      env: { PATH: process.env.PATH, HEARTH_HEART: heart, MARK: mark },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    own.push(child);
    let said = '';
    for await (const bytes of child.stdout.iterator({ destroyOnReturn: false })) {
      said += bytes;
      if (said.includes('\n')) break;
    }
    return { child, pids: JSON.parse(said) as number[] };
  }

  // 'guard': by kill -9, and its guard had been killed before and was replaced.
  test.each(['kill -9', 'exit', 'throw', 'guard'])('that ends by %s', async (how) => {
    const mark = `port-${process.pid}-${heart === '' ? 'bare' : 'heart'}-${how.replace(' ', '')}`;
    const { child, pids } = await owner(how, mark);
    const ended = once(child, 'exit');
    expect(pids).toHaveLength(11);
    if (how === 'kill -9' || how === 'guard') {
      const living = new Set(processes().map(({ pid }) => pid));
      expect(pids.filter((pid) => !living.has(pid))).toEqual([]);
      child.kill('SIGKILL');
    }
    await ended;
    const left = () => ({
      marked: marked(mark),
      listed: processes().filter(({ pid, state }) => pids.includes(pid) && state !== 'Z'),
    });
    await vi.waitFor(() => expect(left()).toEqual({ marked: [], listed: [] }), {
      timeout: 20_000,
      interval: 50,
    });
  });
});

test.runIf(process.platform === 'linux')('200 ports leave no zombie, no descriptor, no process', async () => {
  await (await openPort({ command: 'true' })).ended;
  const descriptors = () => readdirSync('/proc/self/fd').length;
  const children = () => processes().filter(({ parent }) => parent === process.pid);
  const before = { descriptors: descriptors(), children: children().length };
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        const port = await openPort({ command: 'sh', args: ['-c', 'sleep 1000 & cat'], packet: 2 });
        const frame = Buffer.from(`${round}.${i}`);
        await port.send(frame);
        expect(frame.equals((await port.receive()) as Buffer)).toBe(true);
        if (i % 2 === 0) port.kill();
        else await port.stop();
        await port.ended;
      }),
    );
  }
  expect(children().length).toBe(before.children);
  await vi.waitFor(() => expect(descriptors()).toBe(before.descriptors), { timeout: 10_000 });
});

test.runIf(process.platform === 'linux')(
  'what leaves the group ends all the same, where there are cgroups',
  async ({ skip }) => {
    // setsid of util-linux: a session, and so a group, of its own.
    const mark = `escaped-${process.pid}`;
    const code = 'setsid sh -c "while :; do sleep 0.2; done" & echo started; cat';
    const port = await openPort({
      command: 'sh',
      args: ['-c', code],
      line: true,
      env: { ...process.env, MARK: mark },
    });
    await port.receive();
    const inCgroup = /hearth-port-/.test(readFileSync(`/proc/${port.pid}/cgroup`, 'utf8'));
    await port.stop();
    if (inCgroup) {
      await vi.waitFor(() => expect(marked(mark)).toEqual([]), { timeout: 10_000 });
      return;
    }
    for (const pid of marked(mark)) process.kill(pid, 'SIGKILL');
    skip('this machine has no cgroup (v2) that may be written');
  },
);
