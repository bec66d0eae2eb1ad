import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { safeName } from './by-id.ts';
import { createLinks } from './links.ts';

// Trees as the kernel lays them out, with the files that matter here.
let folder: string;
let sys: string;
let dev: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-links-'));
  sys = join(folder, 'sys');
  dev = join(folder, 'dev');
  mkdirSync(dev);
});
afterEach(() => rmSync(folder, { recursive: true }));

function device(path: string, attributes: Record<string, string>): void {
  mkdirSync(join(sys, path), { recursive: true });
  for (const [name, value] of Object.entries(attributes)) writeFileSync(join(sys, path, name), `${value}\n`);
}
function inClass(subsystem: string, path: string): void {
  const link = join(sys, 'class', subsystem, path.split('/').at(-1) ?? '');
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(join(sys, path), link);
}
const names = (directory: string): string[] => readdirSync(join(dev, directory)).sort();

const USB = 'devices/pci0000:00/0000:00:14.0/usb1/1-1';
function ftdi(): void {
  device(USB, {
    idVendor: '0403',
    idProduct: '6001',
    manufacturer: 'FTDI',
    product: 'FT232R USB UART',
    serial: 'A10KZ5',
  });
  device(`${USB}/1-1:1.0`, { bInterfaceNumber: '00' });
  device(`${USB}/1-1:1.0/ttyUSB0`, { port_number: '0' });
  device(`${USB}/1-1:1.0/ttyUSB0/tty/ttyUSB0`, { dev: '188:0' });
  symlinkSync('../..', join(sys, `${USB}/1-1:1.0/ttyUSB0/tty/ttyUSB0/device`));
  inClass('tty', `${USB}/1-1:1.0/ttyUSB0/tty/ttyUSB0`);
}

test('a serial adapter has the name that udev gives it', () => {
  ftdi();
  createLinks(sys, dev).add('tty', 'ttyUSB0');
  expect(names('serial/by-id')).toEqual(['usb-FTDI_FT232R_USB_UART_A10KZ5-if00-port0']);
  expect(readlinkSync(join(dev, 'serial/by-id/usb-FTDI_FT232R_USB_UART_A10KZ5-if00-port0'))).toBe(
    '../../ttyUSB0',
  );
});

test('an ACM modem without texts is named by its numbers, and has no port', () => {
  device(USB, { idVendor: '2341', idProduct: '0043' });
  device(`${USB}/1-1:1.0`, { bInterfaceNumber: '02' });
  device(`${USB}/1-1:1.0/tty/ttyACM0`, { dev: '166:0' });
  inClass('tty', `${USB}/1-1:1.0/tty/ttyACM0`);
  createLinks(sys, dev).addAll();
  expect(names('serial/by-id')).toEqual(['usb-2341_0043-if02']);
});

test('a built-in port has no second name', () => {
  device('devices/platform/serial8250/tty/ttyS0', { dev: '4:64' });
  inClass('tty', 'devices/platform/serial8250/tty/ttyS0');
  expect(createLinks(sys, dev).add('tty', 'ttyS0')).toBeUndefined();
});

test('disks and their partitions: USB, NVMe, SD card, virtio', () => {
  device(USB, {
    idVendor: '0781',
    idProduct: '5581',
    manufacturer: ' SanDisk ',
    product: 'Ultra',
    serial: '4C530',
  });
  device(`${USB}/1-1:1.0/host0/target0:0:0/0:0:0:1`, { vendor: 'SanDisk', model: 'Ultra' });
  device(`${USB}/1-1:1.0/host0/target0:0:0/0:0:0:1/block/sda/sda1`, { partition: '1' });
  inClass('block', `${USB}/1-1:1.0/host0/target0:0:0/0:0:0:1/block/sda`);
  inClass('block', `${USB}/1-1:1.0/host0/target0:0:0/0:0:0:1/block/sda/sda1`);
  device('devices/pci0000:00/0000:01:00.0/nvme/nvme0', { serial: 'S3X', model: 'Disk 970' });
  device('devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p2', { partition: '2' });
  inClass('block', 'devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1/nvme0n1p2');
  device('devices/platform/soc/mmc0/mmc0:aaaa', { cid: 'aa', name: 'SL16G', serial: '0x1f2e' });
  device('devices/platform/soc/mmc0/mmc0:aaaa/block/mmcblk0', { size: '1' });
  inClass('block', 'devices/platform/soc/mmc0/mmc0:aaaa/block/mmcblk0');
  device('devices/pci0000:00/virtio1/block/vda', { serial: 'hearth0' });
  inClass('block', 'devices/pci0000:00/virtio1/block/vda');
  device('devices/pci0000:00/virtio2/block/vdb', { serial: '' });
  inClass('block', 'devices/pci0000:00/virtio2/block/vdb');
  // One that could have several controllers belongs to none of them.
  device('devices/virtual/nvme-subsystem/nvme-subsys0', { serial: 'T4Y', model: 'Disk 980' });
  device('devices/virtual/nvme-subsystem/nvme-subsys0/nvme1n1', { size: '1' });
  inClass('block', 'devices/virtual/nvme-subsystem/nvme-subsys0/nvme1n1');
  createLinks(sys, dev).addAll();
  expect(names('disk/by-id')).toEqual([
    'mmc-SL16G_0x1f2e',
    'nvme-Disk_970_S3X-part2',
    'nvme-Disk_980_T4Y',
    'usb-SanDisk_Ultra_4C530-0:1',
    'usb-SanDisk_Ultra_4C530-0:1-part1',
    'virtio-hearth0',
  ]);
});

test('unplugging removes the name, also when nobody was listening', () => {
  ftdi();
  const links = createLinks(sys, dev);
  links.addAll();
  links.remove('tty', 'ttyUSB7');
  expect(names('serial/by-id')).toHaveLength(1);
  links.remove('tty', 'ttyUSB0');
  expect(names('serial/by-id')).toEqual([]);
  links.addAll();
  rmSync(join(sys, 'class/tty/ttyUSB0'));
  links.addAll();
  expect(names('serial/by-id')).toEqual([]);
});

test('a device cannot choose where its name goes', () => {
  expect(safeName('../../sda')).toBe('__.._sda');
  device(USB, {
    idVendor: '1',
    idProduct: '2',
    manufacturer: '..',
    product: '../../../etc/passwd',
    serial: '.\u0001$(reboot)\n',
  });
  device(`${USB}/1-1:1.0`, { bInterfaceNumber: '00' });
  device(`${USB}/1-1:1.0/tty/ttyACM0`, { dev: '166:0' });
  inClass('tty', `${USB}/1-1:1.0/tty/ttyACM0`);
  createLinks(sys, dev).addAll();
  const [name = ''] = names('serial/by-id');
  expect(name).toMatch(/^usb-[\w#+\-:=@.]+-if00$/);
  expect(name).not.toContain('/');
});
