import { access, mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Emulator } from '../build/emulator.ts';
import { FwError } from '../errors.ts';
import type { Board } from './board.ts';
import { Machine } from './machine.ts';
import type { ServedDisk } from './nbd/served-disk.ts';
import { piBoard } from './pirig/board.ts';
import { chooseAccelerator, STEADY, TCG } from './qemu/accel.ts';
import { bareMachine, type DiskBus, type Forward, uefiArgs } from './qemu/args.ts';
import { findQemu } from './qemu/find.ts';
import { findUefi } from './qemu/uefi.ts';
import { copySparse } from './sparse.ts';

export interface MachineOptions {
  emulator: Emulator;
  /** Raw image of a whole disk, which the machine writes to; or a disk that loses at a power cut what was not flushed. */
  disk: string | ServedDisk;
  /** Folder for files that the machine needs while it runs; made when missing. */
  workDir: string;
  /** UEFI variable store, made when missing; belongs to the disk as the NVRAM belongs to a board. Default: in `workDir`. */
  varsFile?: string;
  /** MiB; default 1024. A Pi 3 has 1024. */
  memoryMb?: number;
  /** Default 2. A Pi 3 has 4. */
  cpus?: number;
  forwards?: readonly Forward[];
  /** How the guest sees the disk; default virtio. A Pi 3 has its SD card. */
  bus?: DiskBus;
  /** An emulated i6300esb; default true. A Pi 3 has none that QEMU emulates well enough. */
  watchdog?: boolean;
  /**
   * `tcg`: emulate the processor even where the host could run it (KVM). `steady`: and have its clock go by its work, which
   * no load of the host makes late; for one processor. Default `auto`.
   */
  accelerator?: 'auto' | 'tcg' | 'steady';
  /** More arguments for QEMU: devices for a test. */
  extra?: readonly string[];
  /** It waits for the memory of a saved machine (QMP's `migrate-incoming`), instead of booting. Not for a Pi, which cannot be saved. */
  incoming?: boolean;
  /** Folders to look for QEMU in; default this process's PATH. */
  path?: string;
}

const DEFAULT_MEMORY_MB = 1024;
const DEFAULT_CPUS = 2;

/**
 * Starts an emulated machine from its disk image, through the boot loaders that are on it: OVMF and what it finds
 * on the disk (q35, virt-arm64), or the model of the Raspberry Pi's boot ROM (raspi3b).
 * @throws FwError `qemu-missing`, `qemu-too-old`, `uefi-firmware-missing`, `disk-missing`, `disk-in-use`, `port-in-use`,
 *   `bad-port`, `qemu-failed`, and from the Pi's boot ROM `pi-does-not-boot`
 */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const { disk, workDir, forwards = [] } = options;
  if (typeof disk === 'string') await mustBeThere(disk);
  await mkdir(workDir, { recursive: true });
  const qemu = await findQemu(options.emulator, options.path ?? process.env.PATH ?? '');
  const board =
    options.emulator === 'raspi3b'
      ? piBoard({ qemu: qemu.path, disk, workDir, extra: options.extra ?? [] })
      : await uefiBoard(options, options.emulator, qemu.path);
  const served =
    typeof disk === 'string' ? {} : { cutPower: () => disk.cutPower(), leaveDisk: () => disk.leave() };
  return Machine.start({ ...board, ...served }, forwards);
}

async function mustBeThere(image: string): Promise<void> {
  const there = await access(image).then(
    () => true,
    () => false,
  );
  if (there) return;
  throw new FwError('disk-missing', `the disk image ${image} cannot be read`, {
    where: image,
    remedy: "Make it with 'fw image'.",
  });
}

async function uefiBoard(
  options: MachineOptions,
  emulator: 'q35' | 'virt-arm64',
  qemu: string,
): Promise<Board> {
  const { disk, workDir, varsFile = join(workDir, 'uefi-vars.fd') } = options;
  const machine = emulator === 'q35' ? 'q35' : 'virt';
  const firmware = await findUefi(emulator === 'q35' ? 'x86_64' : 'aarch64', qemu);
  const arch = emulator === 'q35' ? 'x64' : 'arm64';
  const chosen = { auto: undefined, tcg: TCG, steady: STEADY }[options.accelerator ?? 'auto'];
  const accelerator =
    chosen ?? (await chooseAccelerator({ qemu, arch, machine: bareMachine(machine, 'kvm') }));
  // The code that an emulated processor has translated outlives a reset and makes the next boot half as slow again: each page that
  // held some is slow to write.
  const resetEndsQemu = accelerator.kind === 'tcg';
  await makeVars(firmware.vars, varsFile);
  let incoming = options.incoming === true;
  return {
    emulator,
    resetEndsQemu,
    watchdogPauses: resetEndsQemu,
    consoleSerial: 0,
    powerOffLine: undefined,
    powerOn: async (forwards) => {
      const args = uefiArgs({
        machine,
        accelerator,
        firmware,
        vars: varsFile,
        disk,
        bus: options.bus ?? 'virtio',
        memoryMb: options.memoryMb ?? DEFAULT_MEMORY_MB,
        cpus: options.cpus ?? DEFAULT_CPUS,
        resetEndsQemu,
        watchdog: options.watchdog ?? true,
        forwards,
        extra: options.extra ?? [],
      });
      if (incoming) args.push('-incoming', 'defer');
      // After a reset it boots.
      incoming = false;
      return { file: qemu, args };
    },
  };
}

async function makeVars(template: string, file: string): Promise<void> {
  const there = await access(file).then(
    () => true,
    () => false,
  );
  if (there) return;
  await mkdir(dirname(file), { recursive: true });
  // Half a store would be taken for a whole one by every later run.
  await copySparse(template, `${file}.part`);
  await rename(`${file}.part`, file);
}
