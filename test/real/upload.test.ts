/** fw upload and its like over the user's real ssh: a real server, heart attach, the shipped engine on a simulated disk. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newSigner } from '../../src/archive/test-firmware.ts';
import { FwError } from '../../src/errors.ts';
import { statusOf } from '../../src/links/device.ts';
import { SshLink } from '../../src/links/ssh/ssh-link.ts';
import { awaitVerdict } from '../../src/links/verdict.ts';
import { firmware, flashed, rootOf, type TestFirmware } from '../../src/update/test-machine.ts';
import { type FwOptions, fw, type Outcome } from './fw.ts';
import { SshDevice, type SshDeviceOptions } from './ssh-device.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'upload-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function device(options: Partial<SshDeviceOptions> = {}): Promise<SshDevice> {
  const machine = {
    family: 'gpt' as const,
    pages: await flashed('gpt', await firmware(1)),
    armed: undefined,
  };
  return SshDevice.start({ machine, trial: 'validated', ...options });
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
    env: { PATH: on.path, HEARTH_CACHE: join(folder, 'cache'), ...options.env },
  });
}

async function json(on: SshDevice, args: string[], code = 0): Promise<Record<string, unknown>> {
  const done = await run(on, [...args, '--json']);
  expect(done, done.stdout + done.stderr).toMatchObject({ code });
  return JSON.parse(done.stdout) as Record<string, unknown>;
}

describe('fw upload', () => {
  test('sends what the device lacks, waits for the trial, and says that it is validated', async () => {
    await using on = await device({ trialAnswers: 2 });
    const { code, stdout, stderr } = await run(on, ['upload', 'device', await file(2)]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain('device: hello 1.1.0 -> hello 1.2.0');
    expect(stderr).toMatch(/it lacks \d\.\d MB; the file has \d\.\d MB/);
    expect(stderr).toMatch(/sent .*saved; device reboots to try it/);
    expect(stderr).toContain('on trial');
    expect(stdout).toBe('validated: device runs hello 1.2.0 (healthy for 1 s)\n');
    expect(on.updater.running?.version).toBe('1.2.0');
    expect(on.commands).toContain(`reachable 00000000-0000-4000-8000-000000000002`);
  });

  test('of a firmware that differs a little from the one that it sent before, the difference is sent', async () => {
    await using on = await device();
    await json(on, ['upload', 'device', await file(2)]);
    const root = rootOf(2);
    root[800_000] = (root[800_000] ?? 0) ^ 1;
    on.received = 0;
    const { sent, fileSize } = await json(on, ['upload', 'device', await file(3, { root })]);
    // The head, which has a chunk table, and a boot payload that says another number.
    expect(sent).toBeLessThan(24_000);
    expect(fileSize).toBeGreaterThan(1_500_000);
    // What went over the wire is what was said, but for what frames it on its way, and what was asked besides.
    expect(on.received).toBeLessThan(Number(sent) + 8_000);
    expect(on.updater.running?.version).toBe('1.3.0');
  });

  test('says why the device has gone back, and ends with 1', async () => {
    await using on = await device({ trial: 'reverted' });
    const { code, stdout } = await run(on, ['upload', 'device', await file(2)]);
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: 'reverted: device runs hello 1.1.0 again (the app has failed)\n',
    });
  });

  test('with --no-wait ends when the device goes down', async () => {
    await using on = await device({ trial: 'gone' });
    const result = await json(on, ['upload', 'device', await file(2), '--no-wait']);
    expect(result.verdict).toBeUndefined();
    expect(on.updater.trial).toBe(true);
    expect(on.commands.map((command) => command.split(' ')[0])).toEqual(['status', 'update']);
  });

  test('a connection that is cut: the next upload goes on where it was', async () => {
    await using on = await device();
    const path = await file(2);
    on.cutAfter = 600_000;
    const cut = await json(on, ['upload', 'device', path], 1);
    expect(cut.error).toMatchObject({ code: expect.stringMatching(/^(transfer-ended|device-unavailable)$/) });
    expect(on.updater.state).toBe('receiving');
    on.cutAfter = Number.POSITIVE_INFINITY;
    on.received = 0;
    const { sent } = await json(on, ['upload', 'device', path]);
    expect(sent).toBeLessThan(readFileSync(path).length - 300_000);
    expect(on.updater.running?.version).toBe('1.2.0');
  });

  test.each<[string, TestFirmware, string]>([
    ['signed by nobody whom the device trusts', { by: newSigner('somebody') }, 'fw-key-not-trusted'],
    ['another product', { product: 'other' }, 'fw-wrong-product'],
  ])('%s: refused, in the device’s words, before a byte is sent', async (_, options, code) => {
    await using on = await device();
    const refused = await json(on, ['upload', 'device', await file(3, options)], 1);
    expect(refused.error).toMatchObject({ code, remedy: expect.stringMatching(/\w/) });
    expect(on.updater.state).toBe('idle');
  });
});

describe('what goes wrong with ssh is told as what to do', () => {
  const code = async (on: SshDevice, host = 'device'): Promise<unknown> =>
    (await json(on, ['status', host], 1)).error;

  test('a host key that is not known, and one that has changed', async () => {
    await using on = await device();
    on.forgetHostKey();
    expect(await code(on)).toMatchObject({ code: 'ssh-host-key-unknown' });
    on.trustHostKey('stranger');
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
    const { stdout } = await run(on, ['status', 'device', '--json'], { env: { PATH: folder } });
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'ssh-missing' } });
  });
});

describe('other verbs', () => {
  test('fw status shows what the device says of itself', async () => {
    await using on = await device();
    const { stdout } = await run(on, ['status', 'device']);
    expect(stdout).toContain('hello 1.1.0 for rpi3, in slot a\n');
  });

  test('what the device refuses is told as it tells it; what it does is told', async () => {
    await using on = await device();
    expect((await json(on, ['validate', 'device'], 1)).error).toMatchObject({ code: 'update-busy' });
    expect((await run(on, ['reboot', 'device'])).stdout).toBe('device: reboots\n');
  });

  test('fw factory-reset does nothing that nobody has said yes to', async () => {
    await using on = await device();
    expect(await run(on, ['factory-reset', 'device'])).toMatchObject({ code: 2 });
    expect(on.commands).toEqual([]);
  });
});

test('a device that never comes back is given up, with what was last seen', async () => {
  await using on = await device({ trial: 'gone' });
  const link = new SshLink('device', { extra: ['-F', on.sshConfig] });
  const before = await statusOf(link);
  await json(on, ['upload', 'device', await file(2), '--no-wait']);
  const waiting = awaitVerdict(
    link,
    { uuid: '00000000-0000-4000-8000-000000000002', slot: before.slot, trialSeconds: 1 },
    { bootMs: 200, pauseMs: [100, 200], signal: new AbortController().signal },
  );
  const error = await waiting.catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(FwError);
  expect(error).toMatchObject({ code: 'device-not-back', where: expect.stringContaining('hearthd') });
});
