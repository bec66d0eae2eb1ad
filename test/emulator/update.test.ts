import { execFileSync, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { writeImage } from '../../src/build/image.ts';
import { type DeviceStatus, parseStatus } from '../../src/device/api/status.ts';
import type { Machine } from '../../src/host/machine.ts';
import { buildApp, temporaryFolder } from '../firmware.ts';
import { Bench } from './harness.ts';

const BOOT = { timeoutMs: 240_000 };
/** A whole boot, a whole upload, and another boot. */
const LIFE = 480_000;
const GOOD = "import { run } from 'hearthfw';\nrun(() => {});\n";
/** Short, but an emulated machine on a loaded computer must get through a boot in the time of a trial. */
const RULES = { healthySeconds: 2, trialSeconds: 280, validate: 'auto' } as const;

interface Answer {
  status: number | null;
  stdout: string;
  stderr: string;
}

// What comes by fw's own way, and what must be given up, is in test/trials.
// One device through its life: each test finds it as the one before left it.
describe('updates over SSH, by plain OpenSSH (x86_64)', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let bench: Bench;
  let machine: Machine;
  const key = (name: string): string => `${folder.path}/${name}`;

  const build = async (version: string, source: string, by = 'ours') => {
    const trusted = (await readFile(key(`${by}.pub`), 'utf8')).trim();
    return buildApp(source, 'x86_64', `${folder.path}/${version}`, {
      ...{ version, dev: true, console: 'shell', update: RULES },
      app: { entry: './src/app.ts', maxRestarts: 1 },
      sshKeys: [(await readFile(key('login.pub'), 'utf8')).trim()],
      ...{ updateKeys: [trusted], signingKey: key(by) },
    });
  };

  /** The host key of the first connection is the one of every later one. */
  function spawnSsh(command: string, as = 'login') {
    const options = ['BatchMode=yes', 'IdentitiesOnly=yes', 'IdentityAgent=none', 'ConnectTimeout=60'];
    options.push('StrictHostKeyChecking=accept-new', `UserKnownHostsFile=${key('known_hosts')}`);
    return spawn('ssh', [
      ...['-F', 'none', '-i', key(as), '-p', String(machine.portOf(22))],
      ...options.flatMap((option) => ['-o', option]),
      ...['root@127.0.0.1', command],
    ]);
  }

  async function ssh(command: string, { input, as }: { input?: string; as?: string } = {}): Promise<Answer> {
    const child = spawnSsh(command, as);
    const answer: Answer = { status: null, stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text) => {
        answer[name] += text;
      });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    if (input === undefined) child.stdin.end();
    // A device that refuses does not read to the end.
    else await pipeline(createReadStream(input), child.stdin).catch(() => {});
    answer.status = await ended;
    return answer;
  }

  /** As whoever has sent an update does: asks until there is an answer. */
  function answering(command: string): Promise<void> {
    const ask = async (): Promise<void> => expect(await ssh(command)).toMatchObject({ status: 0 });
    return vi.waitFor(ask, { timeout: BOOT.timeoutMs, interval: 1_000 });
  }

  async function status(): Promise<DeviceStatus> {
    const { stdout } = await ssh('status --json');
    return parseStatus(stdout);
  }

  beforeAll(async () => {
    folder = await temporaryFolder();
    for (const name of ['ours', 'theirs', 'login', 'stranger'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', key(name)]);
    const image = `${folder.path}/disk.img`;
    await writeImage((await build('1.0.0', GOOD)).path, image);
    bench = await Bench.open({ emulator: 'q35', image, ports: [22] });
    machine = await bench.start();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail')
      console.error(`${bench?.tail(60)}\n${await bench?.saveTranscripts(task.name)}`);
  });
  afterAll(async () => {
    await bench?.close();
    await folder?.[Symbol.asyncDispose]();
  });

  test('whoever the firmware names may ask the device, nobody else', async () => {
    await machine.console.waitFor(/\[hearth\] ready /, BOOT);
    await answering('version');
    expect(await ssh('status', { as: 'stranger' })).toMatchObject({
      status: 255,
      stderr: expect.stringContaining('Permission denied (publickey)'),
    });
    expect(await ssh('version')).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^probe 1\.0\.0 /),
    });
    expect(await status()).toMatchObject({
      version: '1.0.0',
      slot: 'a',
      state: 'idle',
      app: { name: 'healthy' },
    });
    expect(await ssh('updaet')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("knows no 'updaet'"),
    });
  });

  test('a firmware that somebody else has signed is refused before anything is written', async () => {
    const { path } = await build('1.0.9', GOOD, 'theirs');
    const answer = await ssh('update', { input: path });
    expect(answer).toMatchObject({ status: 1, stderr: expect.stringContaining('(fw-key-not-trusted)') });
    expect(await status()).toMatchObject({ state: 'idle', slots: {} });
    expect((await status()).slots.b).toBeUndefined();
  });

  test(
    'one of ours is installed, tried, and stays: it is healthy, and somebody has come back',
    async () => {
      const { path, uuid } = await build('1.1.0', GOOD);
      expect(await ssh('update', { input: path })).toMatchObject({
        status: 0,
        stdout: expect.stringContaining('1.1.0 is installed'),
      });
      await machine.console.waitFor('[hearth] on trial: 1.1.0', BOOT);
      await answering(`reachable ${uuid}`);
      await machine.console.waitFor('[hearth] validated: 1.1.0 (healthy for 2 s, and reached by ssh)', BOOT);
      expect(await status()).toMatchObject({
        ...{ version: '1.1.0', uuid, slot: 'b', state: 'idle' },
        last: { result: 'validated', version: '1.1.0' },
        slots: { a: { version: '1.0.0', validated: true }, b: { version: '1.1.0', validated: true } },
      });
    },
    LIFE,
  );
});
