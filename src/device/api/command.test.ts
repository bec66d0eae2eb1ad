import { PassThrough, Readable } from 'node:stream';
import { beforeEach, expect, test } from 'vitest';
import { fingerprint, generateKey, parsePublicKey } from '../../archive/index.ts';
import { FwError } from '../../errors.ts';
import { IdentityStore } from '../../update/identity.ts';
import { MiB } from '../../update/layout.ts';
import { Pages } from '../../update/pages.ts';
import { SimulatedDisk } from '../../update/test-simulated-disk.ts';
import { FRAME, readFrames } from '../../update/transfer/frame.ts';
import { parseRefusal } from '../../update/transfer/messages.ts';
import { DeviceIdentity } from '../identity.ts';
import { runCommand } from './command.ts';
import type { Device } from './device.ts';
import { hostnameOf } from './hostname.ts';
import { keysOf } from './keys.ts';
import { deviceStatus } from './status.ts';

const STATUS = deviceStatus.parse({
  ...{ product: 'hello', version: '1.2.0', uuid: 'u-1', target: 'rpi3', slot: 'b', state: 'trial' },
  trial: { secondsLeft: 270, reachable: true, healthy: false },
  update: { healthySeconds: 30, trialSeconds: 300, validate: 'auto' },
  slots: {
    a: { version: '1.1.0', uuid: 'u-0', product: 'hello', target: 'rpi3', validated: true },
    b: { version: '1.2.0', uuid: 'u-1', product: 'hello', target: 'rpi3', validated: false },
  },
  last: { result: 'reverted', version: '1.1.9', uuid: 'u-9', reason: 'power-lost' },
  app: { name: 'unhealthy', pid: 7, reason: 'no sensor' },
  data: 'persistent',
  network: { eth0: { event: 'bound', address: '10.0.0.5/24' } },
  ...{ floor: '1.0.0', uptimeSeconds: 30.4, resetCause: 'reboot: update to 1.2.0' },
});

const [FIRMWARES, MINE, ANOTHER] = ['firmware', 'me@desk', 'a colleague']
  .map((comment) => generateKey(comment))
  .map(({ publicKey }) => publicKey.trim()) as [string, string, string];
const fingerprintOf = (line: string): string => fingerprint(parsePublicKey(line));

let disk: SimulatedDisk;
let happened: string[];
let last: (() => void)[];
let device: Device;
beforeEach(() => {
  disk = new SimulatedDisk(new Pages(16 * MiB));
  happened = [];
  last = [];
  const identity = new DeviceIdentity(async () => disk, 'pi-17');
  const note = (what: string) => async () => void happened.push(what);
  device = {
    ...{ product: 'hello', version: '1.2.0', uuid: 'u-1' },
    status: async () => STATUS,
    updates: {
      async receive({ source, via }) {
        let bytes = 0;
        for await (const piece of source) bytes += piece.length;
        if (bytes === 0)
          throw new FwError('fw-truncated', 'nothing came', { where: 'byte 0', remedy: 'Send it again.' });
        happened.push(`received ${bytes} bytes by ${via}`);
        return '1.3.0';
      },
      try: note('try'),
      validate: async (reason) => void happened.push(`validate: ${reason}`),
      revert: async (reason) => void happened.push(`revert: ${reason}`),
      reached: (via) => void happened.push(`reached by ${via}`),
    },
    goDown: (how, reason) => void happened.push(`${how}: ${reason}`),
    keys: keysOf([FIRMWARES], identity, note('SSH is told')),
    hostname: hostnameOf('hello', identity, (name) => void happened.push(`called ${name}`)),
    forgetData: note('forget'),
  };
});

async function run(line: string, input = '') {
  const streams = {
    input: Readable.from(input === '' ? [] : [Buffer.from(input)]),
    ...{ output: new PassThrough(), errorOutput: new PassThrough(), terminal: undefined },
  };
  const status = await runCommand(line, {
    ...{ via: 'ssh', device },
    streams: streams as never,
    afterwards: (work) => void last.push(work),
  });
  const bytes = (stream: PassThrough): Buffer => (stream.read() as Buffer | null) ?? Buffer.alloc(0);
  const [raw, stderr] = [bytes(streams.output), bytes(streams.errorOutput).toString()];
  return { status, stdout: raw.toString(), raw, stderr };
}
/** The connection has ended. */
const leave = (): void => {
  for (const work of last.splice(0)) work();
};

test('status, for people and for programs', async () => {
  const words = await run('status');
  expect(words).toMatchObject({ status: 0, stderr: '' });
  expect(words.stdout.split('\n')).toEqual([
    'firmware       hello 1.2.0 (u-1), rpi3, slot b',
    'update         on trial: not healthy, reached, 270 s left',
    'slot a         1.1.0',
    'slot b         1.2.0, not validated',
    'last update    1.1.9 reverted: power-lost',
    'version floor  1.0.0',
    'app            unhealthy: no sensor',
    'data           persistent',
    'eth0           10.0.0.5/24',
    'up for         30 s; last reset: reboot: update to 1.2.0',
    '',
  ]);
  const value = await run('status --json');
  expect(JSON.parse(value.stdout)).toEqual(STATUS);
});

test.each([
  ['reboot', [], ['reboot: asked by ssh']],
  ['poweroff', [], ['power-off: asked by ssh']],
  ['factory-reset', ['forget'], ['reboot: factory reset']],
  ['revert', ['revert: by hand, over ssh'], ['reboot: update reverted: by hand, over ssh']],
  ['validate', ['validate: by hand, over ssh'], []],
  ['reachable u-1', [], []],
  ['version', [], []],
])('%s: %j at once, and %j when the answer has gone out', async (line, atOnce, afterwards) => {
  expect(await run(line)).toMatchObject({ status: 0, stderr: '', stdout: expect.stringMatching(/.\n$/) });
  expect(happened.splice(0)).toEqual(atOnce);
  leave();
  expect(happened).toEqual(afterwards);
});

test('a firmware on the input is staged and tried; the device reboots when the sender knows', async () => {
  expect(await run('update', 'bytes')).toMatchObject({ status: 0, stdout: expect.stringContaining('1.3.0') });
  expect(happened.splice(0)).toEqual(['received 5 bytes by ssh', 'try']);
  leave();
  expect(happened).toEqual(['reboot: update to 1.3.0']);
});

test('with frames the last one says how it ended', async () => {
  const frames = async (bytes: Buffer) => {
    const read = [];
    for await (const frame of readFrames([bytes] as never)) read.push(frame);
    return read;
  };
  expect(await frames((await run('update --frames', 'bytes')).raw)).toMatchObject([
    { type: FRAME.rebooting },
  ]);
  last = [];
  const refused = await run('update --frames');
  const [frame] = await frames(refused.raw);
  expect(frame?.type).toBe(FRAME.refused);
  expect(parseRefusal(frame?.payload ?? Buffer.alloc(0))).toMatchObject({
    code: 'fw-truncated',
    where: 'byte 0',
  });
  expect(refused).toMatchObject({ status: 1, stderr: expect.stringContaining('nothing came') });
  expect(last).toEqual([]);
});

test('an error is told in words, or as JSON', async () => {
  expect(await run('update')).toMatchObject({
    ...{ status: 1, stdout: '' },
    stderr: 'nothing came (fw-truncated)\n  where: byte 0\n  Send it again.\n',
  });
  const { stdout, stderr } = await run('update --json');
  expect([JSON.parse(stdout), stderr]).toEqual([
    { error: { code: 'fw-truncated', message: 'nothing came', where: 'byte 0', remedy: 'Send it again.' } },
    '',
  ]);
  expect(await run('reachable u-2')).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('(another-firmware)'),
  });
});

test.each(['', 'updaet', 'status now', 'reachable', 'reachable a b', 'update FILE', "status '"])(
  'wrong usage: %j',
  async (line) => {
    expect(await run(line)).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching(/^.+ \([a-z-]+\)\n/),
    });
    expect([happened, last]).toEqual([[], []]);
  },
);

test('help names every verb', async () => {
  const { stdout } = await run('help');
  for (const name of [
    'status',
    'update',
    'validate',
    'revert',
    'reboot',
    'poweroff',
    'factory-reset',
    'version',
  ])
    expect(stdout).toMatch(new RegExp(`^ {2}${name}\\b`, 'm'));
});

const keyError = async (line: string, input?: string): Promise<string> =>
  JSON.parse((await run(`key ${line} --json`, input)).stdout).error.code;

test('key: one more person may log in to this device, whatever firmware it has, and no longer', async () => {
  expect((await run(`key add '${MINE}'`)).stdout).toBe('it may log in from now on\n');
  expect((await run('key add', `${ANOTHER}\n`)).stdout).toBe('it may log in from now on\n');
  expect(happened).toEqual(['SSH is told', 'SSH is told']);
  expect((await run(`key add ${MINE}`)).stdout).toBe('it may log in already\n');
  expect((await IdentityStore.open(disk)).identity).toEqual({
    serial: 'pi-17',
    operatorKeys: [MINE, ANOTHER],
  });
  expect((await run('key list')).stdout).toBe(
    `${fingerprintOf(FIRMWARES)} (firmware) ssh-ed25519 firmware
${fingerprintOf(MINE)} (device) ssh-ed25519 me@desk
${fingerprintOf(ANOTHER)} (device) ssh-ed25519 a colleague
`,
  );
  expect((await run(`key remove ${fingerprintOf(MINE)}`)).status).toBe(0);
  expect((await run("key remove 'a colleague' --json")).stdout).toContain(fingerprintOf(ANOTHER));
  expect((await IdentityStore.open(disk)).identity?.operatorKeys).toEqual([]);
});

test('key: with tabs and spaces between its words it is kept as the line that the daemon reads', async () => {
  await run('key add', `  ${MINE.replaceAll(' ', '\t')}  \n`);
  await run('key add', `${ANOTHER.replaceAll(' ', '  ')}\n`);
  expect((await IdentityStore.open(disk)).identity?.operatorKeys).toEqual([MINE, ANOTHER]);
});

test('key: whoever comes in by a key of the firmware cannot take it away, and the last key stays', async () => {
  expect(await keyError(`remove ${fingerprintOf(FIRMWARES)}`)).toBe('key-of-firmware');
  expect(await keyError('remove SHA256:nobody')).toBe('no-such-operator-key');
  const identity = new DeviceIdentity(async () => disk, 'pi-17');
  device.keys = keysOf([], identity, async () => {});
  await run(`key add ${MINE}`);
  expect(await keyError('remove me@desk')).toBe('last-key');
  await run(`key add ${ANOTHER}`);
  // At the same time: only one of them goes.
  const both = await Promise.all(
    [keyError('remove me@desk'), keyError("remove 'a colleague'")].map((each) => each.catch(() => 'removed')),
  );
  expect(both.sort()).toEqual(['last-key', 'removed']);
});

test.each([
  ['', 'its type is ""'],
  ['hello', 'its type is "hello"'],
  ['command="reboot" ssh-ed25519 AAAA', 'its type is'],
  ['ssh-dss AAAAB3NzaC1kc3M=', 'its type is'],
  ['ssh-rsa AAAAC3NzaC1lZDI1NTE5', 'do not belong together'],
  ['ssh-ed25519 AAA*', 'not Base64'],
  ['ssh-ed25519 AAAA\nssh-ed25519 BBBB', 'more than one line'],
  [`ssh-ed25519 AAAA ${'x'.repeat(1100)}`, 'longer than'],
  ['-----BEGIN OPENSSH PRIVATE KEY-----', 'private key'],
])('key add: %j is refused', async (text, why) => {
  const { stdout, status } = await run('key add --json', text === '' ? '\n' : text);
  expect(status).toBe(1);
  expect(JSON.parse(stdout).error).toMatchObject({
    code: 'bad-operator-key',
    message: expect.stringContaining(why),
  });
  expect((await IdentityStore.open(disk)).identity).toBeUndefined();
});

test('key: not without end, and not what is no key at all', async () => {
  for (let i = 0; i < 32; i++) await run(`key add ${generateKey(`key ${i}`).publicKey.trim()}`);
  expect(await keyError(`add ${MINE}`)).toBe('too-many-keys');
  expect(await keyError('add', 'x'.repeat(100_000))).toBe('bad-usage');
  expect(await keyError('')).toBe('bad-usage');
});

test('hostname: given to this device, and the firmware’s again', async () => {
  expect((await run('hostname')).stdout).toBe('hello\n');
  expect((await run('hostname kitchen')).stdout).toBe('this device is called kitchen now\n');
  expect(JSON.parse((await run('hostname --json')).stdout)).toEqual({
    hostname: 'kitchen',
    serial: 'pi-17',
    from: 'device',
  });
  expect((await IdentityStore.open(disk)).identity?.hostname).toBe('kitchen');
  expect(JSON.parse((await run('hostname --reset --json')).stdout)).toMatchObject({
    hostname: 'hello',
    from: 'firmware',
  });
  expect((await IdentityStore.open(disk)).identity).toEqual({ serial: 'pi-17', operatorKeys: [] });
  expect(happened).toEqual(['called kitchen', 'called hello']);
  for (const [name, code] of [
    ['Kitchen', 'bad-hostname'],
    ['a.b', 'bad-hostname'],
    ["''", 'bad-hostname'],
    ['x'.repeat(32), 'bad-hostname'],
    ['-x', 'bad-usage'],
    ['a b', 'bad-usage'],
  ])
    expect(JSON.parse((await run(`hostname ${name} --json`)).stdout).error.code).toBe(code);
});
