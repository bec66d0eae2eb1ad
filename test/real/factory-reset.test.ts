/** A factory reset, with the real mke2fs and kernel: whoever holds /data when it is asked for, and wherever the power goes. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type OpenDevice, openDevice } from '../../src/device/data/block.ts';
import { format } from '../../src/device/data/format.ts';
import { prepareData, releaseData } from '../../src/device/data/prepare.ts';
import { probe } from '../../src/device/data/probe.ts';
import { askForReset, forgettingSteps, resetIfAsked } from '../../src/device/data/reset.ts';
import { systemExec } from '../../src/device/exec.ts';
import { DeviceIdentity } from '../../src/device/identity.ts';
import { IdentityStore } from '../../src/update/identity.ts';
import { MiB } from '../../src/update/layout.ts';
import { Pages } from '../../src/update/pages.ts';
import { SimulatedDisk } from '../../src/update/test-simulated-disk.ts';

/** With 4 KiB blocks, as every real one has. */
const SIZE = 640 * MiB;
const exec = systemExec();
const openForWriting = (path: string): OpenDevice => openDevice(path, 'write');

let folder: string;
let image: string;
let disk: SimulatedDisk;
let said: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-reset-'));
  image = join(folder, 'data.img');
  writeFileSync(image, '');
  truncateSync(image, SIZE);
  disk = new SimulatedDisk(new Pages(16 * MiB));
  said = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

/** As each start of hearthd finds it. */
const identity = (): DeviceIdentity => new DeviceIdentity(async () => disk, 'pi-17');
const asked = async (): Promise<boolean> => (await IdentityStore.open(disk)).identity?.forgetData === true;
const kind = (): string => {
  using device = openDevice(image, 'read');
  return probe(device.read).kind;
};
function reset(open = openForWriting, device = image): Promise<void> {
  return resetIfAsked(identity(), {
    ...{ device, openForWriting: open, sizeOf: () => SIZE },
    mounts: () => readFileSync('/proc/mounts', 'utf8'),
    say: (line) => said.push(line),
  });
}

test('a power cut at any write of it leaves it to the next boot; nothing of the old file system is ever repaired', async () => {
  await identity().change((before) => ({
    ...before,
    hostname: 'kitchen',
    operatorKeys: ['ssh-ed25519 AAAA me'],
  }));
  await format(exec, openForWriting, image, SIZE);
  const blank = join(folder, 'made.img');
  execFileSync('cp', ['--sparse=always', image, blank]);
  const writes = forgettingSteps(SIZE).length;
  expect(writes).toBeGreaterThan(4);
  for (let cut = 0; cut < writes; cut++) {
    execFileSync('cp', ['--sparse=always', blank, image]);
    await askForReset(identity());
    await reset((path) => {
      const device = openForWriting(path);
      return {
        ...device,
        writeSteps(steps) {
          device.writeSteps(steps.slice(0, cut));
          throw new Error('the power is gone');
        },
      };
    });
    expect([kind(), await asked()]).toEqual(['filesystem', true]);
    await reset();
    expect([kind(), await asked()]).toEqual(['blank', false]);
  }
  // Once, and not at every boot from now on.
  await format(exec, openForWriting, image, SIZE);
  await reset();
  expect(kind()).toBe('filesystem');
  expect((await IdentityStore.open(disk)).identity).toEqual({
    ...{ serial: 'pi-17', hostname: 'kitchen', operatorKeys: ['ssh-ed25519 AAAA me'] },
  });
});

test('a card that cannot be written is told, and the request stays', async () => {
  await askForReset(identity());
  await reset(() => {
    throw new Error('EROFS: read-only file system');
  });
  expect(said).toEqual(['/data could not be forgotten: EROFS: read-only file system']);
  expect(await asked()).toBe(true);
});

// Mounting needs root and loop devices; a container without them still runs everything above.
const canMount = process.getuid?.() === 0 && spawnSync('losetup', ['-f']).status === 0;

test.runIf(canMount)('a session that holds /data in a namespace of its own does not prevent it', async () => {
  const loop = execFileSync('losetup', ['-f', '--show', image], { encoding: 'utf8' }).trim();
  const target = join(folder, 'data');
  mkdirSync(target);
  const boot = async (): Promise<string> => {
    await reset(openForWriting, loop);
    return prepareData(
      { device: loop, target, commitSeconds: 5 },
      {
        ...{ exec, openForWriting, say: (line: string) => said.push(line), onSlow: () => {} },
        open: (device) => ({ ...openDevice(device, 'read'), size: SIZE }),
        growPartition: async () => SIZE,
        mounts: () => readFileSync('/proc/mounts', 'utf8'),
        filesystems: () => '\text4\n',
      },
    );
  };
  try {
    expect(await boot()).toBe('persistent');
    writeFileSync(join(target, 'secret'), 'of whoever had it before');
    // As heart attach starts sftp-server.
    const sftp = spawn('unshare', [
      '--mount',
      '--propagation',
      'private',
      'sh',
      '-c',
      'cd "$0" && echo in && cat',
      target,
    ]);
    await once(sftp.stdout, 'data');
    await askForReset(identity());
    // hearthd dies at this moment, and is started again before the reboot.
    expect(await boot()).toBe('persistent');
    expect(readFileSync(join(target, 'secret'), 'utf8')).toContain('whoever');
    await releaseData(exec, target, () => {});
    // heart ends all sessions on its way down.
    sftp.kill('SIGKILL');
    await once(sftp, 'exit');

    expect(await boot()).toBe('persistent');
    expect(said).toContain('/data has been forgotten');
    expect(() => readFileSync(join(target, 'secret'))).toThrow('ENOENT');
    expect(await asked()).toBe(false);
    writeFileSync(join(target, 'new'), 'of whoever has it now');
    execFileSync('umount', [target]);
    expect(await boot()).toBe('persistent');
    expect(readFileSync(join(target, 'new'), 'utf8')).toContain('now');
  } finally {
    spawnSync('umount', [target]);
    spawnSync('losetup', ['-d', loop]);
  }
});
