import { copyFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FdtNode, setU32s, writeFdt } from '../../formats/fdt/index.ts';
import { ServedDisk } from '../nbd/served-disk.ts';
import { TCG } from './accel.ts';
import { type DiskBus, type PiHardware, piArgs, type UefiHardware, uefiArgs } from './args.ts';
import { startQemu } from './process.ts';
import { findUefi } from './uefi.ts';

let folder: string;
let disk: string;
beforeAll(async () => {
  // A comma separates options of QEMU; it must not separate a path.
  folder = await mkdtemp(join(tmpdir(), 'hearth,args=on '));
  disk = join(folder, 'disk.img');
  await writeFile(disk, '');
  await truncate(disk, 4 * 1024 * 1024);
});
afterAll(() => rm(folder, { recursive: true }));

async function uefi(machine: 'q35' | 'virt', bus: DiskBus): Promise<UefiHardware> {
  const arch = machine === 'q35' ? 'x86_64' : 'aarch64';
  const firmware = await findUefi(arch, `/usr/bin/qemu-system-${arch}`);
  const vars = join(folder, `${machine}-vars.fd`);
  await copyFile(firmware.vars, vars);
  const common = { disk, memoryMb: 256, cpus: 1, forwards: [{ host: 0, guest: 22 }], extra: [] };
  return { ...common, machine, bus, accelerator: TCG, firmware, vars, resetEndsQemu: true, watchdog: true };
}

/** What QEMU's own tree of devices says after it took the arguments. */
function deviceTree(program: string, args: string[]): Promise<string> {
  return monitor(program, args, 'info qtree');
}

async function monitor(program: string, args: string[], line: string): Promise<string> {
  const started = await startQemu(program, args);
  for (const serial of started.serials) serial.resume();
  try {
    return await started.qmp.monitor(line);
  } finally {
    await started.kill();
  }
}

describe('a UEFI machine, as QEMU understands it', () => {
  const buses = [
    ['virtio', 'virtio-blk-pci'],
    ['nvme', 'dev: nvme,'],
    ['ahci', 'dev: ide-hd,'],
    ['usb', 'dev: usb-storage,'],
  ] as const;
  test.each(buses)('q35 has its disk on %s', async (bus, device) => {
    const tree = await deviceTree('qemu-system-x86_64', uefiArgs(await uefi('q35', bus)));
    expect(tree).toContain(device);
    expect(tree).toContain('dev: i6300esb,');
    expect(tree).toContain('dev: virtio-rng-pci,');
    expect(tree.match(/dev: isa-serial,/g)).toHaveLength(2);
  });

  test.each(buses)('virt has its disk on %s', async (bus, device) => {
    const tree = await deviceTree('qemu-system-aarch64', uefiArgs(await uefi('virt', bus)));
    expect(tree).toContain(device);
    expect(tree).toContain('dev: i6300esb,');
    expect(tree.match(/dev: pl011,/g)).toHaveLength(2);
  });

  test('has no watchdog when none is wanted', async () => {
    const args = uefiArgs({ ...(await uefi('q35', 'virtio')), watchdog: false });
    expect(await deviceTree('qemu-system-x86_64', args)).not.toContain('i6300esb');
  });

  test('forwards from 127.0.0.1 only', async () => {
    const args = uefiArgs({ ...(await uefi('q35', 'virtio')), forwards: [{ host: 8080, guest: 80 }] });
    expect(args.join(' ')).toContain('hostfwd=tcp:127.0.0.1:8080-:80');
  });

  test.each([
    [{ host: -1, guest: 80 }, 'host side'],
    [{ host: 65_536, guest: 80 }, 'host side'],
    [{ host: 8080, guest: 0 }, 'guest side'],
    [{ host: 1.5, guest: 80 }, 'host side'],
  ])('refuses the forward %o', async (forward, where) => {
    const hardware = { ...(await uefi('q35', 'virtio')), forwards: [forward] };
    expect(() => uefiArgs(hardware)).toThrow(
      expect.objectContaining({ code: 'bad-port', where: expect.stringContaining(where) }),
    );
  });
});

describe('a disk that is served', () => {
  let served: ServedDisk;
  beforeAll(async () => {
    served = await ServedDisk.open({ image: disk, folder, random: Math.random });
  });
  afterAll(() => served[Symbol.asyncDispose]());

  test.each(['q35', 'virt'] as const)('is had by %s over NBD, and hears of its flushes', async (machine) => {
    const program = machine === 'q35' ? 'qemu-system-x86_64' : 'qemu-system-aarch64';
    const args = uefiArgs({ ...(await uefi(machine, 'virtio')), disk: served });
    const blocks = await monitor(program, args, 'info block disk');
    expect(blocks).toMatch(/^disk: json:.*"nbd"|^disk: nbd\+unix:/m);
    expect(blocks).toContain('Cache mode:       writeback');
    expect(blocks).not.toContain('ignore flushes');
    expect(served.complaints).toEqual([]);
  });

  test('is written through by a Raspberry Pi, whose card has no cache', async () => {
    const args = piArgs({ ...(await pi()), disk: served });
    const blocks = await monitor('qemu-system-aarch64', args, 'info block');
    expect(blocks).toContain(served.socket);
    expect(blocks).toMatch(/Cache mode: +writethrough/);
    expect(served.complaints).toEqual([]);
  });
});

async function pi(): Promise<PiHardware> {
  const file = async (name: string, bytes: Uint8Array): Promise<string> => {
    const path = join(folder, name);
    await writeFile(path, bytes);
    return path;
  };
  const root: FdtNode = { name: '', properties: new Map(), children: [] };
  setU32s(root, '#address-cells', 1);
  setU32s(root, '#size-cells', 1);
  return {
    kernel: await file('kernel', new Uint8Array(4096)),
    initrd: await file('initrd', new Uint8Array(512)),
    dtb: await file('tree.dtb', writeFdt({ root, reservations: [], bootCpu: 0 })),
    cmdline: 'console=ttyS1,115200 root=/dev/ram0',
    log: join(folder, 'qemu.log'),
    disk,
    memoryMb: 1024,
    cpus: 4,
    forwards: [{ host: 0, guest: 22 }],
    extra: ['-device', 'tmp105,bus=i2c-bus.1,address=0x48'],
  };
}

test('a Raspberry Pi 3, as QEMU understands it', async () => {
  const tree = await deviceTree('qemu-system-aarch64', piArgs(await pi()));
  expect(tree).toContain('dev: sd-card,');
  expect(tree).toContain('dev: usb-net,');
  expect(tree).toContain('dev: tmp105,');
});
