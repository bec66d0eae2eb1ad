import { FwError } from '../../errors.ts';
import type { Accelerator } from './accel.ts';
import { QMP_FD, SERIAL_FDS } from './process.ts';
import type { UefiFirmware } from './uefi.ts';

/** A TCP port of the guest that is reachable at 127.0.0.1 of this machine. */
export interface Forward {
  /** 0: any free one; the running machine says which. */
  host: number;
  guest: number;
}

/** How the guest sees its disk; each needs another driver for its root. */
export type DiskBus = 'virtio' | 'nvme' | 'ahci' | 'usb';

/** A raw image in a file, or the Unix socket of an NBD server that serves the disk. */
export type DiskSource = string | { readonly socket: string };

/** What every machine has. */
interface CommonHardware {
  disk: DiskSource;
  memoryMb: number;
  cpus: number;
  forwards: readonly Forward[];
  /** Appended as they are: devices for a test. */
  extra: readonly string[];
}

/** A PC (q35) or an arm64 server (virt), booted by UEFI firmware from its disk. */
export interface UefiHardware extends CommonHardware {
  machine: 'q35' | 'virt';
  accelerator: Accelerator;
  firmware: UefiFirmware;
  /** This machine's own variable store. */
  vars: string;
  bus: DiskBus;
  /** Whether a reset is to end QEMU, which somebody starts anew. */
  resetEndsQemu: boolean;
  /** An i6300esb that resets the machine when it is not petted; where a reset ends QEMU, it stops it, for who can reset it in place. */
  watchdog: boolean;
}

/** A Raspberry Pi 3 B; what the boot loader would have loaded is handed to QEMU. */
export interface PiHardware extends CommonHardware {
  kernel: string;
  initrd: string | undefined;
  dtb: string;
  cmdline: string;
  /** Where QEMU notes what the guest asks of hardware that it does not have; made anew at each start. */
  log: string;
}

const MAX_PORT = 65_535;

/** Control protocol, serial ports and clock, the same for all. Stopped (-S) until whoever started it listens. */
function common(hardware: CommonHardware): string[] {
  return [
    ...['-nodefaults', '-display', 'none', '-S', '-rtc', 'base=utc'],
    ...['-m', String(hardware.memoryMb), '-smp', String(hardware.cpus)],
    ...['-chardev', `socket,id=qmp,fd=${QMP_FD}`, '-mon', 'chardev=qmp,mode=control'],
    ...SERIAL_FDS.flatMap((fd, n) => [
      ...['-chardev', `socket,id=serial${n},fd=${fd}`],
      ...['-serial', `chardev:serial${n}`],
    ]),
  ];
}

/** User networking: the guest reaches out, and only 127.0.0.1 of this machine reaches the forwarded ports. */
function netdev(forwards: readonly Forward[]): string {
  const rules = forwards.map(({ host, guest }) => {
    for (const [side, port, least] of [
      ['host', host, 0],
      ['guest', guest, 1],
    ] as const) {
      if (Number.isInteger(port) && port >= least && port <= MAX_PORT) continue;
      throw new FwError('bad-port', `${port} is no TCP port`, {
        where: `forward ${host}:${guest}, ${side} side`,
        expected: `a number from ${least} to ${MAX_PORT}`,
        remedy: 'Give the forward as HOST:GUEST, for example 8080:80.',
      });
    }
    return `hostfwd=tcp:127.0.0.1:${host}-:${guest}`;
  });
  return ['user,id=net', ...rules].join(',');
}

function raw(node: string, source: DiskSource, options: Record<string, unknown> = {}): string[] {
  const { readOnly = false, ...rest } = options;
  const blockdev = {
    'node-name': node,
    driver: 'raw',
    'read-only': readOnly,
    file:
      typeof source === 'string'
        ? { driver: 'file', filename: source }
        : { driver: 'nbd', server: { type: 'unix', path: source.socket } },
    ...rest,
  };
  return ['-blockdev', JSON.stringify(blockdev)];
}

function diskDevice(machine: 'q35' | 'virt', bus: DiskBus): string[] {
  switch (bus) {
    case 'virtio':
      return ['-device', 'virtio-blk-pci,drive=disk,bootindex=0'];
    case 'nvme':
      return ['-device', 'nvme,drive=disk,serial=hearth,bootindex=0'];
    case 'usb':
      return ['-device', 'qemu-xhci,id=xhci', '-device', 'usb-storage,bus=xhci.0,drive=disk,bootindex=0'];
    case 'ahci': {
      // q35 has an AHCI controller on board, as `ide`.
      const onBoard = machine === 'q35';
      const controller = onBoard ? [] : ['-device', 'ich9-ahci,id=ahci'];
      return [...controller, '-device', `ide-hd,bus=${onBoard ? 'ide' : 'ahci'}.0,drive=disk,bootindex=0`];
    }
  }
}

/**
 * QEMU's command line for a machine with UEFI firmware.
 * @throws FwError `bad-port`
 */
export function uefiArgs(hardware: UefiHardware): string[] {
  const { machine, accelerator, firmware, vars, bus, resetEndsQemu } = hardware;
  return [
    ...['-M', machineType(machine, accelerator), '-accel', accelerator.accel],
    ...(accelerator.icount === undefined ? [] : ['-icount', accelerator.icount]),
    ...['-cpu', cpu(machine, accelerator)],
    ...common(hardware),
    ...raw('code', firmware.code, { readOnly: true }),
    ...raw('vars', vars),
    // Trimmed blocks of the guest become holes of the image.
    ...raw('disk', hardware.disk, { discard: 'unmap', 'detect-zeroes': 'unmap' }),
    ...diskDevice(machine, bus),
    ...['-netdev', netdev(hardware.forwards), '-device', 'virtio-net-pci,netdev=net,romfile='],
    // UEFI firmware and the kernel both want entropy early.
    ...['-object', 'rng-builtin,id=rng', '-device', 'virtio-rng-pci,rng=rng'],
    ...(resetEndsQemu ? ['-action', 'reboot=shutdown'] : []),
    ...(hardware.watchdog
      ? ['-device', 'i6300esb', '-action', `watchdog=${resetEndsQemu ? 'pause' : 'reset'}`]
      : []),
    ...hardware.extra,
  ];
}

/** For -M, without the firmware's flash. */
export function bareMachine(machine: 'q35' | 'virt', kind: Accelerator['kind']): string {
  if (machine === 'q35') return 'q35';
  return kind === 'kvm' ? 'virt,gic-version=host' : 'virt,gic-version=3';
}

function machineType(machine: 'q35' | 'virt', accelerator: Accelerator): string {
  return `${bareMachine(machine, accelerator.kind)},pflash0=code,pflash1=vars`;
}

function cpu(machine: 'q35' | 'virt', accelerator: Accelerator): string {
  if (accelerator.kind === 'kvm') return 'host';
  return machine === 'q35' ? PC_CPU : 'cortex-a72';
}

/**
 * All that QEMU emulates, but it does not say that `rep movsb` and `rep stosb` are fast (ERMS, FSRM): kernel and libc would copy
 * by them, which is byte by byte here. A boot costs a tenth less.
 */
const PC_CPU = 'max,erms=off,fsrm=off';

/** As a file name of a -drive option, which knows no server but as a URI. */
function fileName(disk: DiskSource): string {
  return typeof disk === 'string' ? disk : `nbd+unix:///?socket=${disk.socket}`;
}

/** A value of a -drive or -netdev option: commas separate options, doubled ones are themselves. */
function escapeCommas(text: string): string {
  return text.replaceAll(',', ',,');
}

/**
 * QEMU's command line for a Raspberry Pi 3 B. It ends at a reset: the boot ROM has to choose again.
 * @throws FwError `bad-port`
 */
export function piArgs(hardware: PiHardware): string[] {
  const { kernel, initrd, dtb, cmdline, disk, log } = hardware;
  // The model of a card has no cache, so Linux never flushes one: what was written is there. For a file, QEMU would sync it each time.
  const cache = typeof disk === 'string' ? 'cache=writeback' : 'cache=writethrough';
  return [
    ...['-M', 'raspi3b', '-accel', 'tcg,thread=multi', '-action', 'reboot=shutdown'],
    ...common(hardware),
    ...['-kernel', kernel, '-dtb', dtb, '-append', cmdline],
    ...(initrd ? ['-initrd', initrd] : []),
    ...['-d', 'unimp', '-D', log],
    ...['-drive', `if=sd,format=raw,discard=unmap,${cache},file=${escapeCommas(fileName(disk))}`],
    // The board's own Ethernet is not emulated.
    ...['-netdev', netdev(hardware.forwards), '-device', 'usb-net,netdev=net'],
    ...hardware.extra,
  ];
}
