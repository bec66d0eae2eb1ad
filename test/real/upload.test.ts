/** fw upload and its like over the user's real ssh: a real server, heart attach, the shipped engine on a simulated disk. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newSigner } from '../../src/archive/test-firmware.ts';
import type { AppState } from '../../src/device/app/runner.ts';
import { FwError } from '../../src/errors.ts';
import { statusOf } from '../../src/links/device.ts';
import { SshLink } from '../../src/links/ssh/ssh-link.ts';
import { awaitVerdict } from '../../src/links/verdict.ts';
import { firmware, rootOf, type TestFirmware } from '../../src/update/test-machine.ts';
import { CACHE, copyHello, type FwOptions, fw, type Outcome } from './fw.ts';
import { SshDevice, type SshDeviceOptions } from './ssh-device.ts';

/** A device has only root; who runs the tests may be somebody else. */
const DEVICE = `${userInfo().username}@device`;
const HEALTHY: AppState = { name: 'healthy', pid: 1 };
const FAILED: AppState = { name: 'failed', reason: 'it throws' };

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'upload-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function device(options?: SshDeviceOptions): Promise<SshDevice> {
  return SshDevice.start(await firmware(1), options);
}

async function file(n: number, options?: TestFirmware): Promise<string> {
  const path = join(folder, `${n}.fw`);
  writeFileSync(path, await firmware(n, options));
  return path;
}

/** The real command, with a cache of its own. */
function run(on: SshDevice, args: string[], options: FwOptions = {}): Promise<Outcome> {
  return fw(args, {
    ...options,
    env: { PATH: on.sshd.path, HEARTH_CACHE: join(folder, 'cache'), ...options.env },
  });
}

async function json(on: SshDevice, args: string[], code = 0): Promise<Record<string, unknown>> {
  const done = await run(on, [...args, '--json']);
  expect(done, done.stdout + done.stderr).toMatchObject({ code });
  return JSON.parse(done.stdout) as Record<string, unknown>;
}

describe('fw upload', () => {
  test('sends what the device lacks, waits for the trial, and says that it is validated', async () => {
    await using on = await device();
    const { code, stdout, stderr } = await run(on, ['upload', DEVICE, await file(2)]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain(`${DEVICE}: hello 1.1.0 -> hello 1.2.0`);
    expect(stderr).toMatch(/it lacks \d\.\d MB; the file has \d\.\d MB/);
    expect(stderr).toMatch(/sent .*saved; \S+ reboots to try it/);
    expect(stderr).toContain('on trial');
    expect(stdout).toBe(`validated: ${DEVICE} runs hello 1.2.0 (healthy for 0.5 s, and reached by ssh)\n`);
    expect(await on.status()).toMatchObject({ version: '1.2.0', slot: 'b', state: 'idle' });
  });

  test('of a firmware that differs a little from the one that it sent before, the difference is sent', async () => {
    await using on = await device();
    await json(on, ['upload', DEVICE, await file(2)]);
    const root = rootOf(2);
    root[800_000] = (root[800_000] ?? 0) ^ 1;
    on.received = 0;
    const { sent, fileSize } = await json(on, ['upload', DEVICE, await file(3, { root })]);
    // The head, which has a chunk table, and a boot payload that says another number.
    expect(sent).toBeLessThan(24_000);
    expect(fileSize).toBeGreaterThan(1_500_000);
    // What went over the wire is what was said, but for what frames it on its way, and what was asked besides.
    expect(on.received).toBeLessThan(Number(sent) + 8_000);
    expect(await on.status()).toMatchObject({ version: '1.3.0' });
  });

  test('says why the device has gone back, and ends with 1', async () => {
    await using on = await device({ app: (version) => (version === '1.2.0' ? FAILED : HEALTHY) });
    const { code, stdout } = await run(on, ['upload', DEVICE, await file(2)]);
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: `reverted: ${DEVICE} runs hello 1.1.0 again (the app has failed: it throws)\n`,
    });
  });

  test('with --no-wait ends when the device goes down', async () => {
    await using on = await device({ app: (version) => (version === '1.2.0' ? undefined : HEALTHY) });
    const result = await json(on, ['upload', DEVICE, await file(2), '--no-wait']);
    expect(result.verdict).toBeUndefined();
  });

  test('a connection that is cut: the next upload goes on where it was', async () => {
    await using on = await device();
    const path = await file(2);
    on.cutAfter = 600_000;
    const cut = await json(on, ['upload', DEVICE, path], 1);
    expect(cut.error).toMatchObject({ code: expect.stringMatching(/^(transfer-ended|device-unavailable)$/) });
    expect(await on.status()).toMatchObject({ state: 'receiving' });
    on.cutAfter = Number.POSITIVE_INFINITY;
    on.received = 0;
    const { sent } = await json(on, ['upload', DEVICE, path]);
    expect(sent).toBeLessThan(readFileSync(path).length - 300_000);
    expect(await on.status()).toMatchObject({ version: '1.2.0' });
  });

  test.each<[string, TestFirmware, string]>([
    ['signed by nobody whom the device trusts', { by: newSigner('somebody') }, 'fw-key-not-trusted'],
    ['another product', { product: 'other' }, 'fw-wrong-product'],
  ])('%s: refused, in the device’s words, before a byte is sent', async (_, options, code) => {
    await using on = await device();
    const refused = await json(on, ['upload', DEVICE, await file(3, options)], 1);
    expect(refused.error).toMatchObject({ code, remedy: expect.stringMatching(/\w/) });
    expect(await on.status()).toMatchObject({ state: 'idle' });
  });
});

test('fw upload without a file builds the project first, for the board that the device says it is', async () => {
  await using on = await device();
  const app = await copyHello(folder);
  const { code, stderr } = await run(on, ['upload', DEVICE], { cwd: app, env: { HEARTH_CACHE: CACHE } });
  expect(stderr).toContain(`${DEVICE}: hello 1.1.0 -> hello 1.0.0`);
  expect(readdirSync(app)).toContain('hello-1.0.0-rpi3.fw');
  // It is signed with another key than the device's; but it has got there.
  expect(stderr).toContain('fw-key-not-trusted');
  expect(code).toBe(1);
});

describe('what goes wrong with ssh is told as what to do', () => {
  const code = async (on: SshDevice, host = DEVICE): Promise<unknown> =>
    (await json(on, ['status', host], 1)).error;

  test('a host key that is not known, and one that has changed', async () => {
    await using on = await device();
    on.sshd.forgetHostKey();
    expect(await code(on)).toMatchObject({ code: 'ssh-host-key-unknown' });
    on.sshd.trustHostKey('stranger');
    expect(await code(on)).toMatchObject({ code: 'ssh-host-key-changed' });
  });

  test('a key that the device does not have', async () => {
    await using on = await device();
    writeFileSync(join(on.folder, 'authorized_keys'), readFileSync(join(on.folder, 'stranger.pub')));
    expect(await code(on)).toMatchObject({
      code: 'ssh-permission-denied',
      where: expect.stringContaining('Permission denied'),
    });
  });

  test('nobody there, no such name, no ssh', async () => {
    await using on = await device();
    expect(await code(on, '127.0.0.1:1')).toMatchObject({ code: 'ssh-refused' });
    expect(await code(on, 'no-such-device.invalid')).toMatchObject({ code: 'ssh-unknown-host' });
    const { stdout } = await run(on, ['status', DEVICE, '--json'], { env: { PATH: folder } });
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ssh-missing' } });
  });
});

describe('other verbs', () => {
  test('fw status shows what the device says of itself', async () => {
    await using on = await device();
    const { stdout } = await run(on, ['status', DEVICE]);
    expect(stdout).toContain('hello 1.1.0 for rpi3, in slot a\n');
  });

  test('what the device refuses is told as it tells it; what it does is told', async () => {
    await using on = await device();
    expect((await json(on, ['validate', DEVICE], 1)).error).toMatchObject({ code: 'update-busy' });
    expect((await run(on, ['reboot', DEVICE])).stdout).toBe(`${DEVICE}: reboots\n`);
  });

  test('fw key operators lets one more log in, at once, and no longer', async () => {
    await using on = await device();
    const at = (name: string): string => join(on.folder, name);
    const stranger = async (): Promise<string | undefined> => {
      const known = ['-o', `UserKnownHostsFile=${at('known_hosts')}`, '-o', 'BatchMode=yes'];
      const who = ['-i', at('stranger'), '-o', 'IdentitiesOnly=yes', '-p', String(on.sshd.port)];
      const args = ['-F', 'none', ...known, ...who, `${userInfo().username}@127.0.0.1`, 'key', 'list'];
      return (await promisify(execFile)('ssh', args).catch(() => undefined))?.stdout;
    };
    expect(await stranger()).toBeUndefined();
    expect(await json(on, ['key', 'operators', DEVICE, '--add', at('stranger.pub')])).toEqual({
      added: true,
    });
    expect(await stranger()).toMatch(/ \(firmware\) ssh-ed25519 user\n.* \(device\) ssh-ed25519 stranger\n/);
    const refused = await json(on, ['key', 'operators', DEVICE, '--add', at('stranger')], 1);
    expect(refused.error).toMatchObject({ code: 'operator-key-unreadable' });
    const { stdout } = await run(on, ['key', 'operators', DEVICE, '--remove', 'stranger']);
    expect(stdout).toMatch(/^SHA256:\S+ {2}device {2}ssh-ed25519 {2}stranger\n$/);
    expect(await stranger()).toBeUndefined();
    expect((await json(on, ['key', 'operators', DEVICE, '--remove', 'user'], 1)).error).toMatchObject({
      code: 'key-of-firmware',
    });
  });

  test('fw hostname shows and changes what a device is called', async () => {
    await using on = await device();
    expect((await run(on, ['hostname', DEVICE])).stdout).toBe("hello  (its firmware's name; serial pi-17)\n");
    expect(await json(on, ['hostname', DEVICE, 'kitchen'])).toMatchObject({
      hostname: 'kitchen',
      from: 'device',
    });
    expect(on.log).toContain('called kitchen');
    expect((await run(on, ['hostname', DEVICE, '--reset'])).stdout).toMatch(/^hello /);
  });

  test('fw factory-reset does nothing that nobody has said yes to', async () => {
    await using on = await device();
    expect(await run(on, ['factory-reset', DEVICE])).toMatchObject({ code: 2 });
    expect(on.received).toBe(0);
  });
});

test('a device that never comes back is given up, with what was last seen', async () => {
  await using on = await device({ app: (version) => (version === '1.2.0' ? undefined : HEALTHY) });
  const link = new SshLink(DEVICE, { extra: ['-F', on.sshd.config] });
  const before = await statusOf(link);
  await json(on, ['upload', DEVICE, await file(2), '--no-wait']);
  const waiting = awaitVerdict(
    link,
    { uuid: '00000000-0000-4000-8000-000000000002', slot: before.slot, trialSeconds: 1 },
    { bootMs: 200, pauseMs: [100, 200], signal: new AbortController().signal },
  );
  const error = await waiting.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(FwError);
  expect(error).toMatchObject({ code: 'device-not-back', where: expect.stringMatching(/SSH|answer/) });
});
