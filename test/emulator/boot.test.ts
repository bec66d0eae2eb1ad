import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFirmware } from '../../src/archive/index.ts';
import { writeImage as writeDisk } from '../../src/build/image.ts';
import type { Machine } from '../../src/host/machine.ts';
import { HEART_STATE, MiB, SECTOR } from '../../src/update/layout.ts';
import { buildApp, buildExample, temporaryFolder } from '../firmware.ts';
import { planOf, readImage, writeImage } from './disk.ts';
import { Bench } from './harness.ts';

const BOOT = { timeoutMs: 240_000 };
const RECOVERY = { timeoutMs: 120_000 };
const APP = "import { run } from 'hearthfw';\nrun(() => {});\n";

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder?.[Symbol.asyncDispose]());

// One device whose slot is spoilt in turn: each test ends with the reset that heart asks for.
describe('a slot whose root is not this firmware’s (x86_64)', () => {
  let bench: Bench;
  let machine: Machine;
  let own: Awaited<ReturnType<typeof buildApp>>;
  let root: number;
  /** What heart says before it gives up, and everything from the boot loader to there. */
  async function failedBoot(): Promise<{ why: string; lines: string[] }> {
    const from = machine.console.transcript.length;
    const [, why = ''] = await machine.console.waitFor(
      /\[hearth\] this firmware cannot start: (.*); rebooting in 5 s/,
      BOOT,
    );
    const reset = await machine.waitForReset(RECOVERY);
    expect(reset.cause).toBe('guest');
    return { why, lines: machine.console.transcript.slice(from).split('\n') };
  }
  async function putRoot(firmware: string): Promise<void> {
    const fw = await openFirmware(firmware, { trust: 'self' });
    try {
      for await (const { offset, bytes } of fw.read('root'))
        await writeImage(bench.disk, root + offset, bytes);
    } finally {
      await fw.close();
    }
  }

  beforeAll(async () => {
    const config = { console: 'log' } as const;
    own = await buildApp(APP, 'x86_64', `${folder.path}/own`, config);
    const image = `${folder.path}/own.img`;
    await writeDisk(own.path, image);
    bench = await Bench.open({ emulator: 'q35', image });
    root = (await planOf('x86_64', bench.disk)).root[0].offset;
  });
  afterAll(() => bench?.close());

  test('another firmware’s root is named, not started, and the machine reboots (S1)', async () => {
    const config = { console: 'log', version: '2.0.0' } as const;
    const other = await buildApp(APP, 'x86_64', `${folder.path}/other`, config);
    expect(other.uuid).not.toBe(own.uuid);
    await putRoot(other.path);
    machine = await bench.start();
    const { why, lines } = await failedBoot();
    expect(why).toBe(`/dev/vda3 holds firmware ${other.uuid}, not ${own.uuid}`);
    expect(lines).not.toContainEqual(expect.stringContaining('started hearthd'));
  });

  test('a root without its head is no root: the machine says so and reboots (S1)', async () => {
    // While the machine is in its boot loader.
    await writeImage(bench.disk, root, new Uint8Array(SECTOR * 8));
    const { why, lines } = await failedBoot();
    expect(why).toBe("no disk holds this firmware's root");
    expect(lines).not.toContainEqual(expect.stringContaining('started hearthd'));
  });

  test('the right root again: it boots, and without console: shell there is no shell', async () => {
    await putRoot(own.path);
    await machine.console.waitFor(new RegExp(`\\[hearth\\] ready .* uuid=${own.uuid} `), BOOT);
    machine.shellPort.write('\r\n');
    // As long as a shell takes to answer, several times over.
    await delay(2_000);
    const lines = machine.shellPort.transcript.split('\n').filter(Boolean);
    // UEFI's own, which go to every serial port.
    expect(lines.filter((line) => !/^(BdsDxe|EFI stub): /.test(line))).toEqual([]);
    await machine.stop();
  });
});

// One device in bad circumstances, all at once: no watchdog hardware, a torn partition table, a clock without a battery.
describe('a device in bad circumstances (x86_64)', () => {
  let bench: Bench;
  let machine: Machine;
  let built: number;

  const boot = async (): Promise<string> => {
    const [, cause = ''] = await machine.console.waitFor(/\[hearth\] last reset: (.*)/, BOOT);
    await machine.console.waitFor(/\[hearth\] ready /, BOOT);
    return cause;
  };
  /** Waits in the guest until a condition holds. */
  const until = (condition: string): Promise<string> =>
    machine.shell.text(`until ${condition}; do usleep 100000; done`, RECOVERY);
  const seconds = async (): Promise<number> => Number(await machine.shell.text('date +%s'));
  /** heart's records on the disk, by sequence number. */
  async function records(): Promise<Map<bigint, string>> {
    const copies = await Promise.all(
      HEART_STATE.offsets.map((offset) => readImage(bench.disk, offset, SECTOR)),
    );
    const written = copies.filter((copy) => copy.toString('latin1', 0, 8) === 'HEARTSTA');
    return new Map(written.map((copy) => [copy.readBigUInt64LE(16), copy.toString('hex', 40, 104)]));
  }
  const tearPrimaryGpt = (): Promise<void> => writeImage(bench.disk, SECTOR, new Uint8Array(SECTOR));
  const seeds = new Map<bigint, string>();
  async function noteSeeds(): Promise<void> {
    for (const [sequence, seed] of await records()) seeds.set(sequence, seed);
  }

  beforeAll(async () => {
    const firmware = await buildExample('hello', 'x86_64', folder.path);
    const image = `${folder.path}/hello.img`;
    await writeDisk(firmware.path, image, { size: 1024 ** 3 });
    const fw = await openFirmware(firmware.path, { trust: 'self' });
    built = Date.parse(fw.manifest.created) / 1000;
    await fw.close();
    bench = await Bench.open({
      emulator: 'q35',
      image,
      watchdog: false,
      extra: [
        // The chipset has a watchdog, too.
        ...['-global', 'ICH9-LPC.enable_tco=off'],
        ...['-rtc', 'base=2000-01-01T00:00:00'],
        // What can be plugged into while it runs.
        ...['-device', 'qemu-xhci,id=usb', '-device', 'pcie-root-port,id=bay,chassis=1'],
      ],
    });
    await tearPrimaryGpt();
    machine = await bench.start();
    // OVMF has made the primary good again. The kernel is on its way: this time it and heart are alone with it.
    await machine.console.waitFor('EFI stub: Loaded initrd', BOOT);
    await tearPrimaryGpt();
  });
  afterAll(() => bench?.close());

  test('boots from the backup GPT when the primary one is torn: the boot loader, the kernel, and heart', async () => {
    expect(await boot()).toBe('first-boot');
    expect(await machine.shell.text('grep -c " /data ext4 rw" /proc/mounts')).toBe('1');
    await noteSeeds();
  });

  test('sets a clock that is behind to at least the time of its build (R6)', async () => {
    expect(machine.console.transcript).toContain('[hearth] the clock was behind');
    expect(await seconds()).toBeGreaterThanOrEqual(built);
  });

  test('falls back to a watchdog in software', async () => {
    expect(await machine.shell.text('grep WATCHDOG= /run/hearth/boot')).toBe('WATCHDOG=Software Watchdog');
  });

  test('knows a USB stick that is plugged in, and forgets it', async () => {
    const link = '/dev/disk/by-id/usb-QEMU_QEMU_USB_HARDDRIVE_stick1-0:0';
    const file = `${folder.path}/stick.img`;
    await writeFile(file, new Uint8Array(8 * MiB));
    await machine.qmp.execute('blockdev-add', {
      'node-name': 'stick',
      driver: 'raw',
      file: { driver: 'file', filename: file },
    });
    const stick = { driver: 'usb-storage', bus: 'usb.0', drive: 'stick', id: 'stick', serial: 'stick1' };
    await machine.qmp.execute('device_add', stick);
    await until(`[ -b ${link} ]`);
    expect(await machine.shell.text(`readlink ${link}`)).toBe('../../sda');
    expect(await machine.shell.text('cat /sys/block/sda/size')).toBe(String((8 * MiB) / SECTOR));
    await machine.qmp.execute('device_del', { id: 'stick' });
    await until(`! [ -L ${link} ]`);
  });

  test('knows a serial adapter that is plugged in, hands it to the app, and forgets it', async () => {
    await machine.qmp.execute('chardev-add', { id: 'line', backend: { type: 'null', data: {} } });
    await machine.qmp.execute('device_add', {
      driver: 'usb-serial',
      bus: 'usb.0',
      chardev: 'line',
      id: 'serial',
      // Whether anybody has opened the other end or not.
      'always-plugged': true,
    });
    const links = '/dev/serial/by-id';
    await until(`[ -c ${links}/usb-* ]`);
    const [name = '', ...others] = (await machine.shell.text(`ls ${links}`)).split('\n');
    expect(others).toEqual([]);
    expect(name).toMatch(/^usb-QEMU_QEMU_USB_SERIAL_.*-if00-port0$/);
    expect(await machine.shell.text(`readlink ${links}/${name}`)).toBe('../../ttyUSB0');
    expect(await machine.shell.text('stat -c %G:%a /dev/ttyUSB0')).toBe('dialout:660');
    const asApp = "heart exec --user app --groups dialout -- sh -c ': <> /dev/ttyUSB0'";
    expect(await machine.shell.text(`${asApp} && echo opened`)).toBe('opened');
    await machine.qmp.execute('device_del', { id: 'serial' });
    await until(`! [ -L ${links}/${name} ]`);
  });

  test('asks for an address on a network card that is plugged in, and forgets it', async () => {
    await machine.qmp.execute('netdev_add', { type: 'user', id: 'second', net: '10.0.3.0/24' });
    const card = { driver: 'virtio-net-pci', bus: 'bay', netdev: 'second', id: 'card', romfile: '' };
    await machine.qmp.execute('device_add', card);
    await machine.console.waitFor('[hearth] eth1: 10.0.3.15/24', RECOVERY);
    expect(await machine.shell.text('ip -4 -o addr show dev eth1')).toContain('10.0.3.15/24');
    // 224.0.0.251: there, too, it is to be found by its name.
    await until('grep -A 2 eth1 /proc/net/igmp | grep -q FB0000E0');
    expect(await machine.shell.text('ip -4 -o addr show dev eth0')).toContain('10.0.2.15/24');
    await machine.qmp.execute('device_del', { id: 'card' });
    await until('! [ -e /run/hearth/net/eth1.lease ]');
    expect(await machine.shell.text('cat /run/resolv.conf')).not.toContain('10.0.3.');
  });

  test('is reset by its software watchdog, and the next boot names the cause', async () => {
    const before = await seconds();
    const reset = machine.waitForReset(RECOVERY);
    await machine.shell.send('heart test-watchdog');
    await reset;
    expect(await boot()).toBe('watchdog');
    // The time of the record, not only that of the build.
    expect(await seconds()).toBeGreaterThanOrEqual(before);
  });

  test('never uses a random seed twice', async () => {
    const before = new Set(seeds.values());
    await noteSeeds();
    // One at the first boot, one as the petting stopped, one at this boot; the disk keeps the last two.
    expect(seeds.size).toBeGreaterThanOrEqual(before.size + 2);
    expect(new Set(seeds.values()).size).toBe(seeds.size);
  });

  test('reboots when hearthd dies again and again, and the next boot names the cause (S6)', async () => {
    machine.console.skip();
    const reset = machine.waitForReset(RECOVERY);
    await machine.shell.text('kill -9 $(cat /sys/fs/cgroup/hearthd/cgroup.procs)');
    for (let restart = 1; restart <= 5; restart++) {
      const [, pid] = await machine.console.waitFor(/\[hearth\] started hearthd, pid (\d+)/, RECOVERY);
      await machine.shell.text(`kill -9 ${pid}`);
    }
    await machine.console.waitFor('[hearth] hearthd was restarted 5 times within 120 s: giving up', RECOVERY);
    await reset;
    expect(await boot()).toBe('reboot: hearthd restarted too often');
    await machine.stop();
  });
});
