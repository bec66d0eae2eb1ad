import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeImage as writeDisk } from '../../src/build/image.ts';
import type { Machine } from '../../src/host/machine.ts';
import { MiB } from '../../src/update/layout.ts';
import { buildExample, temporaryFolder } from '../firmware.ts';
import { expectGoodData, growDisk, planOf, writeImage } from './disk.ts';
import { Bench } from './harness.ts';

const BOOT = { timeoutMs: 240_000 };
const RECOVERY = { timeoutMs: 120_000 };
const GiB = 1024 * MiB;
/** ext4's block group of 32,768 blocks of 4 KiB; some begin with a copy of the superblock. */
const GROUP = 128 * MiB;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
/** The image of the least size: what `fw image` makes without --size. */
let image: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  const firmware = await buildExample('hello', 'x86_64', folder.path);
  image = `${folder.path}/disk.img`;
  await writeDisk(firmware.path, image);
});
afterAll(() => folder?.[Symbol.asyncDispose]());

async function powerOff(machine: Machine): Promise<void> {
  await machine.shell.send('kill -USR2 1');
  expect((await machine.exited).reason).toBe('guest-shutdown');
}

/** What is mounted on /data: its device, type and first option. */
function mounted(machine: Machine): Promise<string> {
  return machine.shell.text(`awk '$2 == "/data" { print $1, $3, substr($4, 1, 2) }' /proc/mounts`);
}

async function appServes(machine: Machine): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${machine.portOf(8080)}/health`);
  expect(await response.json()).toMatchObject({ ok: true });
}

// One disk through good and bad times: each test finds it as the one before left it. Power cuts while /data is made and grows
// (P11) are scenes of powercut.test.ts, on a disk that loses what was not flushed.
describe('the data partition (x86_64)', () => {
  let bench: Bench;
  let machine: Machine;
  let checksum: string;
  const makeFile = 'dd if=/dev/urandom of=/data/app/kept bs=1M count=8 2>/dev/null; sync';
  const sum = (): Promise<string> => machine.shell.text('sha256sum /data/app/kept');
  const boot = async (): Promise<void> => {
    // On when the test before has failed.
    await machine?.cutPower();
    machine = await bench.start();
    await machine.console.waitFor(/\[hearth\] ready /, BOOT);
  };
  const said = (): string[] =>
    machine.console.transcript.split('\n').filter((line) => /^\[hearth\] .*\/data/.test(line));

  beforeAll(async () => {
    bench = await Bench.open({ emulator: 'q35', image, ports: [8080] });
  });
  afterAll(() => bench?.close());

  test('is made at the first boot and takes the whole of a disk that is larger than the image', async () => {
    await growDisk(bench.disk, 2 * GiB);
    machine = await bench.start();
    await machine.console.waitFor(/\[hearth\] ready /, BOOT);
    expect(said()).toEqual([
      '[hearth] making /data',
      expect.stringMatching(/^\[hearth\] \/data: its partition grew to \d+ MiB$/),
    ]);
    expect(await mounted(machine)).toBe('/dev/vda5 ext4 rw');
    await machine.shell.text(makeFile);
    checksum = await sum();
    await powerOff(machine);
    await expectGoodData('x86_64', bench.disk);
  });

  test('grows again with the disk, and what was stored stays', async () => {
    await growDisk(bench.disk, 3 * GiB);
    await boot();
    await machine.console.waitFor('[hearth] /data has grown with the disk', RECOVERY);
    expect(said()).not.toContainEqual(expect.stringContaining('making'));
    expect(await sum()).toBe(checksum);
    await powerOff(machine);
    await expectGoodData('x86_64', bench.disk);
  });

  test('is repaired from a copy when its first superblock is gone', async () => {
    const { data } = await planOf('x86_64', bench.disk);
    await writeImage(bench.disk, data.offset, new Uint8Array(4096));
    await boot();
    expect(said()).toEqual([
      '[hearth] /data is damaged: its first superblock is gone; repairing from a copy',
      expect.stringMatching(/^\[hearth\] \/data was repaired: hearth-data: .* files/),
    ]);
    expect(await mounted(machine)).toBe('/dev/vda5 ext4 rw');
    expect(await sum()).toBe(checksum);
    await powerOff(machine);
    await expectGoodData('x86_64', bench.disk);
  });

  test('is repaired when the first MiB of what describes it is noise', async () => {
    const { data } = await planOf('x86_64', bench.disk);
    await writeImage(bench.disk, data.offset + 4096, noise(MiB));
    await boot();
    expect(said()).toContainEqual(expect.stringMatching(/^\[hearth\] \/data was repaired: /));
    expect(await mounted(machine)).toBe('/dev/vda5 ext4 rw');
    expect(await machine.shell.text('stat -c %U /data/app')).toBe('app');
    await appServes(machine);
    await powerOff(machine);
    await expectGoodData('x86_64', bench.disk);
  });

  test('is made anew when nothing of it is left', async () => {
    const { data } = await planOf('x86_64', bench.disk);
    // All that describes it: its beginning, and every place where a copy of the superblock may be.
    await writeImage(bench.disk, data.offset, noise(64 * MiB));
    for (let at = GROUP; at < data.length; at += GROUP) {
      await writeImage(bench.disk, data.offset + at, noise(MiB));
    }
    await boot();
    expect(said()).toEqual(['[hearth] making /data']);
    expect(await mounted(machine)).toBe('/dev/vda5 ext4 rw');
    await appServes(machine);
  });

  test('may be full: the device reboots, the app runs, and the console says so (R1)', async () => {
    // Most of it at once, the rest by writing until the kernel refuses.
    const most = `fallocate -l $(( ($(stat -f -c '%a * %S' /data)) / 100 * 95 )) /data/app/most`;
    const filled = await machine.shell.run(`${most} && cat /dev/zero > /data/app/filler`, RECOVERY);
    expect(filled.output).toContain('No space left on device');
    const reset = machine.waitForReset(RECOVERY);
    await machine.shell.send('kill -TERM 1');
    await reset;
    machine.console.skip();
    // Which of the two is said first is chance.
    const full = machine.console.waitFor('[hearth] /data is full: the app can store nothing more', BOOT);
    await Promise.all([full, machine.console.waitFor(/\[hearth\] ready /, BOOT)]);
    await appServes(machine);
    await powerOff(machine);
  });
});

/** Bytes that are no file system, the same in every run. */
function noise(length: number): Buffer {
  let state = 1;
  const words = new Uint32Array(length / 4);
  for (let at = 0; at < words.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    words[at] = state;
  }
  return Buffer.from(words.buffer);
}

test('rpi3: /data is made at the first boot and takes the whole card', async () => {
  const firmware = await buildExample('hello', 'rpi3', folder.path);
  const card = `${folder.path}/card.img`;
  await writeDisk(firmware.path, card);
  await growDisk(card, 2 * GiB);
  await using bench = await Bench.open({ emulator: 'raspi3b', image: card });
  const machine = await bench.start();
  await machine.console.waitFor(/\[hearth\] ready target=rpi3 /, BOOT);
  expect(await mounted(machine)).toBe('/dev/mmcblk0p7 ext4 rw');
  await powerOff(machine);
  await expectGoodData('rpi3', bench.disk);
});
