import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BuildResult } from '../../src/build/firmware.ts';
import { copyHello, fw, fwJson, outcome, printed, startFw } from './fw.ts';
import { CARRY_ON, onTerminal } from './terminal.ts';

/** How fw run treats its terminal, its machine, and other runs of itself. */
let dir: string;
let firmware: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-run-'));
  const app = await copyHello(join(dir, 'app'));
  firmware = (await fwJson<BuildResult>(['build', '--app', app, '--target', 'x86_64'])).path;
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** The ids of QEMU's processes that have this folder in their arguments. */
function machinesOf(folder: string): string[] {
  const cmdline = (pid: string): string => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      // It has ended since the folder was read.
      return '';
    }
  };
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => /^[^\0]*qemu-system/.test(cmdline(pid)) && cmdline(pid).includes(folder));
}

/** A folder of its own with the firmware, and so with a disk of its own. */
function project(): { cwd: string; runs: () => string[] } {
  const cwd = mkdtempSync(join(dir, 'project-'));
  symlinkSync(firmware, join(cwd, 'hello.fw'));
  return { cwd, runs: () => readdirSync(join(cwd, '.hearth', 'run')) };
}

test('fw run that is ended by Ctrl-C ends its machine in order, lets the disk go, and dies by the signal', async () => {
  const { cwd, runs } = project();
  const { screen, type } = onTerminal(
    `${CARRY_ON} $FW run hello.fw --headless --forward 0:80; echo "STATUS $?"`,
    {
      cwd,
    },
  );
  await screen.waitFor(/127\.0\.0\.1:\d+ leads to port 80/, { timeoutMs: 120_000 });
  expect(machinesOf(cwd)).toHaveLength(1);
  expect(runs()).toHaveLength(2);
  type('\x03');
  await screen.waitFor('STATUS 130', { timeoutMs: 60_000 });
  expect(machinesOf(cwd)).toEqual([]);
  // Of fw's two processes the shell waits for the outer one: the inner one may be a moment behind with its claim.
  await expect.poll(runs, { timeout: 10_000 }).toEqual(['hello-x86_64']);
  expect(readdirSync(join(cwd, '.hearth', 'run', 'hello-x86_64')).sort()).toEqual([
    'disk.img',
    'flashed',
    'uefi-vars.fd',
  ]);
});

/** The boot loader's control characters are on the screen: the terminal is the machine's. */
const attached = (raw: string, state: string): boolean =>
  raw.split(`(${state})`)[1]?.includes('\x1b') ?? false;

test('fw run with a terminal gives it back as it was, by Ctrl-A X and by a signal', async () => {
  const { cwd, runs } = project();
  const line = '$FW run hello.fw; echo "STATUS $?"; stty -a';
  const first = onTerminal(line, { cwd });
  await expect.poll(() => attached(first.raw(), 'made'), { timeout: 120_000 }).toBe(true);
  first.type('\x01x');
  await first.screen.waitFor('STATUS 0', { timeoutMs: 60_000 });
  await first.screen.waitFor(/ icanon/);
  expect([machinesOf(cwd), runs()]).toEqual([[], ['hello-x86_64']]);

  const second = onTerminal(line, { cwd });
  await expect.poll(() => attached(second.raw(), 'kept'), { timeout: 120_000 }).toBe(true);
  const [owner = ''] = runs().filter((name) => name.includes('.used-by-'));
  process.kill(Number(/used-by-(\d+)-/.exec(owner)?.[1]), 'SIGTERM');
  await second.screen.waitFor('STATUS 143', { timeoutMs: 60_000 });
  await second.screen.waitFor(/ icanon/);
  expect([machinesOf(cwd), runs()]).toEqual([[], ['hello-x86_64']]);
});

test('fw run tells programs one event a line, and a second run at once who has the disk', async () => {
  const { cwd, runs } = project();
  const child = startFw(['run', 'hello.fw', '--json', '--forward', '0:80'], { cwd });
  const ended = outcome(child);
  await printed(child, /"event":"console"/);

  const disk = join(cwd, '.hearth', 'run', 'hello-x86_64', 'disk.img');
  const before = statSync(disk).ino;
  const second = await fw(['run', 'hello.fw', '--fresh', '--json'], { cwd });
  expect([second.code, second.stderr]).toEqual([1, '']);
  const { error } = JSON.parse(second.stdout);
  expect(error).toMatchObject({
    code: 'already-running',
    message: expect.stringContaining(`${child.pid}`),
  });
  expect(statSync(disk).ino).toBe(before);

  child.kill('SIGTERM');
  const { signal, stdout, stderr } = await ended;
  expect([signal, stderr]).toEqual(['SIGTERM', '']);
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(events[0]).toEqual({
    event: 'disk',
    path: disk,
    state: 'made',
    signer: {
      comment: 'hearth-example-key everybody-has-it',
      fingerprint: expect.stringMatching(/^SHA256:/),
    },
  });
  expect(events[1]).toEqual({ event: 'forwards', forwards: [{ host: expect.any(Number), guest: 80 }] });
  expect(events[1].forwards[0].host).toBeGreaterThan(0);
  expect(events[2]).toEqual({ event: 'console', line: expect.any(String) });
  expect(events.at(-1)).toEqual({ event: 'exit', reason: 'stopped' });
  expect(runs()).toEqual(['hello-x86_64']);
});

test('fw run takes over from one that was killed, whose machine is gone with it', async () => {
  const { cwd } = project();
  const first = startFw(['run', 'hello.fw', '--headless', '--forward', '0:80'], { cwd });
  const firstEnded = outcome(first);
  await printed(first, /leads to port 80/);
  first.kill('SIGKILL');
  await firstEnded;
  await expect.poll(() => machinesOf(cwd), { timeout: 30_000 }).toEqual([]);
  const second = startFw(['run', 'hello.fw', '--headless', '--forward', '0:80'], { cwd });
  const secondEnded = outcome(second);
  await printed(
    second,
    /signed by SHA256:\S+ \(hearth-example-key everybody-has-it\)[\s\S]*leads to port 80/,
  );
  second.kill('SIGHUP');
  expect(await secondEnded).toMatchObject({ signal: 'SIGHUP', stderr: expect.stringContaining('(kept)') });
  expect(machinesOf(cwd)).toEqual([]);
});
