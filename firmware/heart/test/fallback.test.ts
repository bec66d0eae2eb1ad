/** What becomes of a slot that does not come up: the other one, once, and then a system that stays up. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeEnv } from '../../../src/formats/ubootenv.ts';
import { ENV } from '../../../src/update/layout.ts';
import { boot, type Device, device, possible, read } from './namespace.ts';
import { buildProbe, buildSanitizedHeart, run, scratch, until } from './programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'heart-test-'));
let heart = '';
let probe = '';
beforeAll(() => {
  heart = buildSanitizedHeart(folder);
  probe = buildProbe(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const ONE_SHOT = 'LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';
const variable = (text: string) =>
  Buffer.concat([Buffer.from([7, 0, 0, 0]), Buffer.from(`${text}\0`, 'utf16le')]);
const CMDLINE = 'hearth.uuid=a-uuid hearth.target=test hearth.console=log hearth.beat=10';
/** The hardware says that the watchdog has reset it. */
const BY_WATCHDOG = '3 0x20 test';
const HEARTHD = `
import { Socket } from 'node:net';
import { existsSync, writeFileSync } from 'node:fs';
const heart = new Socket({ fd: 3 });
setInterval(() => heart.write(Buffer.from([0, 1, 2])), 100);
console.log('hearthd is up');
`;
const screen = (d: Device) => read(join(d.files, 'screen'));
const count = (d: Device, text: string) => screen(d).split(text).length - 1;

function remember(d: Device, values: Record<string, string>): void {
  const file = join(d.files, 'disk');
  const disk = readFileSync(file);
  disk.set(encodeEnv({ flags: 1, values: new Map(Object.entries(values)) }, ENV.size), ENV.offsets[0]);
  writeFileSync(file, disk);
}

/** Boots until hearthd is up, lets `then` look, and resets the machine. */
async function resetOnceUp(d: Device, then?: (root: string) => Promise<void> | void): Promise<void> {
  const ups = count(d, 'hearthd is up');
  const b = await boot(heart, d, CMDLINE, BY_WATCHDOG);
  await until('hearthd', () => count(d, 'hearthd is up') > ups);
  await then?.(b.root);
  process.kill(b.init, 'SIGKILL');
  await b.ended;
}

describe.skipIf(!possible)('a slot that fails three times', () => {
  test('UEFI: the other one is tried, once; after that this one stays up; being ready ends it', async () => {
    const d = device({ hearthd: HEARTHD });
    mkdirSync(join(d.files, 'efivars'));
    remember(d, { 'b.fallback': '1', 'b.validated': '1' });
    // The first boot of a device has nothing before it that could have failed.
    for (let i = 0; i < 3; i++) await resetOnceUp(d);
    expect(read(join(d.files, 'efivars', ONE_SHOT))).toBe('');
    const fourth = await boot(heart, d, CMDLINE, BY_WATCHDOG);
    expect(await fourth.ended).toBe('SIGHUP');
    expect(readFileSync(join(d.files, 'efivars', ONE_SHOT))).toEqual(variable('slot-b.efi'));
    expect(screen(d)).toContain('[hearth] slot a has failed 3 times: slot b is tried\n');
    expect(count(d, 'hearthd is up')).toBe(3);
    rmSync(join(d.files, 'efivars', ONE_SHOT));

    await resetOnceUp(d, (root) => {
      expect(screen(d)).toContain('[hearth] last reset: reboot: slot a has failed 3 times\n');
      expect(read(`${root}/run/hearth/boot`)).not.toContain('RESCUE');
    });
    await resetOnceUp(d, async (root) => {
      expect(screen(d)).toContain(
        '[hearth] rescue: 4 boots in a row have failed, and the other slot has been tried; staying up\n',
      );
      expect(read(`${root}/run/hearth/boot`)).toMatch(/^RESCUE=the other slot has been tried$/m);
      expect(read(join(d.files, 'efivars', ONE_SHOT))).toBe('');
      const before = readFileSync(join(d.files, 'disk'));
      writeFileSync(`${root}/run/hearth/ready`, '');
      await until('it is written down', () => !readFileSync(join(d.files, 'disk')).equals(before));
    });
    for (let i = 0; i < 2; i++) await resetOnceUp(d);
    expect(count(d, 'rescue:')).toBe(1);
  });

  test('a Raspberry Pi: the module of its one-shot is asked', async () => {
    const d = device({ hearthd: HEARTHD });
    mkdirSync(join(d.files, 'tryboot'));
    writeFileSync(join(d.files, 'tryboot', 'arm'), '0');
    remember(d, { 'b.fallback': '1' });
    for (let i = 0; i < 3; i++) await resetOnceUp(d);
    const fourth = await boot(heart, d, CMDLINE, BY_WATCHDOG);
    expect(await fourth.ended).toBe('SIGHUP');
    expect(read(join(d.files, 'tryboot', 'arm'))).toBe('1');
  });

  test.each([
    ['that was never validated or is too old', { 'b.fallback': '0' }, 'never validated, or is too old'],
    ['that the board cannot arm', { 'b.fallback': '1' }, 'can be written'],
  ])('beside one %s: rescue', async (_, values, why) => {
    const d = device({ hearthd: HEARTHD });
    remember(d, values);
    for (let i = 0; i < 3; i++) await resetOnceUp(d);
    await resetOnceUp(d, () => {
      expect(screen(d)).toMatch(
        new RegExp(`rescue: 3 boots in a row have failed, and .*${why}; staying up\n`),
      );
    });
  });

  describe('in rescue', () => {
    /** In its third failed boot, with a rescue script that says where it runs. */
    async function inRescue(hearthd: string) {
      const d = device({ hearthd, rescue: '#!/bin/bash\ncp /proc/self/cgroup /run/rescued\n' });
      for (let i = 0; i < 3; i++) await resetOnceUp(d);
      mkdirSync(join(d.files, 'etc'), { recursive: true });
      writeFileSync(join(d.files, 'etc/broken'), '');
      return { d, b: await boot(heart, d, CMDLINE, BY_WATCHDOG) };
    }

    test('a hearthd that dies is started again, without a reboot; first somebody can log in without it', async () => {
      const { d, b } = await inRescue(`${HEARTHD}if (existsSync('/etc/broken')) process.exit(1);`);
      await until('it has died once', () => screen(d).includes('rescue: hearthd is started again in 60 s'));
      expect(count(d, 'started hearthd')).toBe(4);
      await until('the rescue', () => /^0::.*\/net$/m.test(read(`${b.root}/run/rescued`)));
      expect(read(`/proc/${b.init}/cmdline`)).toBe('init\0');
      expect(screen(d)).not.toContain('going down');
    });

    test('once it has been ready it is none: hearthd is started again at once', async () => {
      const { d } = await inRescue(`${HEARTHD}if (existsSync('/etc/broken')) {
        writeFileSync('/run/hearth/ready', '');
        setTimeout(() => process.exit(1), 500);
      }`);
      await until('its second start', () => count(d, 'started hearthd') === 5);
      expect(screen(d)).not.toContain('started again');
    });
  });
});

describe.skipIf(!possible)('on its trial', () => {
  const TRIAL = { 'update.state': 'trial', 'update.into': 'a' };

  test.each([
    ['dies', 'if (process.uptime() < 60) process.exit(3);', 'hearthd ended with status 3'],
    ['hangs', 'for (;;);', 'hearthd has not beaten for \\d+ ms'],
  ])(
    'a slot whose hearthd %s is not given a second start, and the next boot says why',
    async (_, code, why) => {
      const d = device({ hearthd: `${HEARTHD}setTimeout(() => { ${code} }, 300);` });
      remember(d, TRIAL);
      const b = await boot(heart, d, CMDLINE.replace('=10', '=1'));
      expect(await b.ended).toBe('SIGHUP');
      expect(count(d, 'started hearthd')).toBe(1);
      remember(d, {});
      const next = await boot(heart, d, CMDLINE);
      await until('the cause', () => new RegExp(`last reset: reboot: ${why}\n`).test(screen(d)));
      process.kill(next.init, 'SIGKILL');
      await next.ended;
    },
  );

  test.each([
    ['the other slot', { ...TRIAL, 'update.into': 'b' }],
    ['nothing any more', { ...TRIAL, 'update.state': 'staged' }],
  ])('%s: hearthd is started again', async (_, values) => {
    const d = device({ hearthd: `${HEARTHD}setTimeout(() => process.exit(3), 300);` });
    remember(d, values);
    await boot(heart, d, CMDLINE);
    await until('its second start', () => count(d, 'started hearthd') === 2);
  });

  test('what has been validated meanwhile is on trial no more', async () => {
    const d = device({ hearthd: HEARTHD });
    remember(d, TRIAL);
    const b = await boot(heart, d, CMDLINE);
    await until('hearthd', () => count(d, 'hearthd is up') === 1);
    remember(d, { active: 'a' });
    process.kill(await b.hearthd(), 'SIGKILL');
    await until('its second start', () => count(d, 'hearthd is up') === 2);
  });
});

describe.skipIf(!possible)('a slot that cannot be entered, on a Raspberry Pi', () => {
  const TRIED = 4;
  test.each([
    ['the preferred one: the rescue of the other one, which was tried', 'a', TRIED, '1'],
    ['the preferred one, and the other one was not tried', 'a', 0, '0'],
    // Its one-shot would be this slot again, and again.
    ['the other one: the preferred one is next anyway', 'b', TRIED, '0'],
  ])('%s', (_, running, bits, armed) => {
    const files = scratch();
    const disk = Buffer.alloc(ENV.offsets[0] + ENV.size);
    disk.set(encodeEnv({ flags: 1, values: new Map([['active', 'a']]) }, ENV.size), ENV.offsets[0]);
    writeFileSync(join(files, 'disk'), disk);
    writeFileSync(join(files, 'arm'), '0');
    const script = `mount -t tmpfs module /sys/module && mkdir -p /sys/module/hearth_tryboot &&
      mkdir /sys/module/hearth_tryboot/parameters && mount --bind "$0" /sys/module/hearth_tryboot/parameters && exec "$@"`;
    const ended = run('unshare', [
      ...['--mount', '--propagation', 'private', 'bash', '-c', script, files],
      ...[probe, 'borrow', join(files, 'disk'), running, String(bits)],
    ]);
    expect(ended).toMatchObject({ status: 0, stderr: '' });
    expect(read(join(files, 'arm'))).toBe(armed);
  });
});

describe.skipIf(!possible)('heart one-shot', () => {
  /** Runs it with a folder in the place of the EFI variables, which only its own process sees. */
  function oneShot(variables: string, ...args: string[]) {
    const script = `mount -t tmpfs firmware /sys/firmware && mkdir -p /sys/firmware/efi/efivars &&
      mount --bind "$0" /sys/firmware/efi/efivars && exec "$@"`;
    return run('unshare', [
      '--mount',
      '--propagation',
      'private',
      'bash',
      '-c',
      script,
      variables,
      heart,
      'one-shot',
      ...args,
    ]);
  }

  test('makes the variable, leaves it when it is right, and changes it when it is not, though it is protected', () => {
    const variables = scratch();
    const file = join(variables, ONE_SHOT);
    expect(oneShot(variables, 'b')).toMatchObject({ status: 0, stderr: '' });
    expect(readFileSync(file)).toEqual(variable('slot-b.efi'));
    execFileSync('chattr', ['+i', file]);
    try {
      expect(oneShot(variables, 'b').status).toBe(0);
      expect(String(execFileSync('lsattr', [file]))).toMatch(/^-*i/);
      expect(oneShot(variables, 'a').status).toBe(0);
    } finally {
      execFileSync('chattr', ['-i', file]);
    }
    expect(readFileSync(file)).toEqual(variable('slot-a.efi'));
  });

  test('says why not', () => {
    const variables = scratch();
    mkdirSync(join(variables, ONE_SHOT));
    expect(oneShot(variables, 'a')).toMatchObject({ status: 1, stderr: 'heart one-shot: Is a directory\n' });
    for (const wrong of [[], ['c'], ['a', 'b'], ['ab']])
      expect(oneShot(variables, ...wrong)).toMatchObject({
        status: 2,
        stderr: 'heart one-shot: usage: heart one-shot a|b\n',
      });
  });
});
