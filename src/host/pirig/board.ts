import { closeSync, openSync, readSync } from 'node:fs';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReadAt } from '../../formats/bytes.ts';
import type { Board } from '../board.ts';
import type { ServedDisk } from '../nbd/served-disk.ts';
import { piArgs } from '../qemu/args.ts';
import { type BootChoice, chooseBoot } from './bootrom.ts';
import { emulatedDtb } from './emulated-dtb.ts';
import { SdCard } from './sdcard.ts';
import { asksForTryboot } from './tryboot.ts';

/** A Pi 3 B has 1 GiB and four cores, and QEMU takes nothing else. */
const MEMORY_MB = 1024;
const CPUS = 4;

export interface PiBoardOptions {
  /** The QEMU program. */
  qemu: string;
  /** The SD card: a raw image, or a served disk of a power of two of bytes. */
  disk: string | ServedDisk;
  /** Where kernel, initramfs and device tree are put for QEMU. */
  workDir: string;
  extra?: readonly string[];
}

/** A Raspberry Pi 3 B, whose boot ROM is modelled on the card's own bytes at power-on and at every reset. */
export function piBoard({ qemu, disk, workDir, extra = [] }: PiBoardOptions): Board {
  const flags = { tryboot: false };
  const file = (name: string): string => join(workDir, name);
  const log = file('qemu.log');
  let hasRun = false;
  return {
    emulator: 'raspi3b',
    resetEndsQemu: true,
    // The console is the mini UART, ttyS1, which is QEMU's second serial port; its first one is the PL011, ttyAMA0.
    consoleSerial: 1,
    // Without its watchdog's driver the emulated board cannot switch itself off: the kernel says so and halts.
    powerOffLine: /reboot: (Power down|Power off not available)/,
    flags,
    powerOn: async (forwards) => {
      if (typeof disk === 'string') await makePowerOfTwo(disk);
      // The log of a board that was switched off says nothing about this one.
      const tryboot = flags.tryboot || (hasRun && asksForTryboot(await readFile(log, 'latin1')));
      hasRun = true;
      // It counts for one boot.
      flags.tryboot = false;
      const choice = await readChoice(disk, tryboot);
      await writeFile(file('kernel'), choice.kernel);
      await writeFile(file('device-tree.dtb'), emulatedDtb(choice.dtb));
      if (choice.initramfs) await writeFile(file('initramfs'), choice.initramfs);
      return {
        file: qemu,
        args: piArgs({
          kernel: file('kernel'),
          initrd: choice.initramfs ? file('initramfs') : undefined,
          dtb: file('device-tree.dtb'),
          cmdline: choice.cmdline,
          disk,
          log,
          memoryMb: MEMORY_MB,
          cpus: CPUS,
          forwards,
          extra,
        }),
        notes: choice.trace,
      };
    },
  };
}

/**
 * QEMU takes SD cards of a power of two of bytes only. The image is made longer, with a hole: what a larger card
 * looks like, and what the firmware grows its data partition into anyway.
 */
export async function makePowerOfTwo(disk: string): Promise<void> {
  const { size } = await stat(disk);
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(size, 1)));
  if (wanted !== size) await truncate(disk, wanted);
}

/**
 * What the boot ROM makes of a card's image.
 * @throws FwError `pi-does-not-boot`
 */
export async function readChoice(disk: string | ServedDisk, tryboot: boolean): Promise<BootChoice> {
  if (typeof disk !== 'string') return chooseBoot(new SdCard(disk.readAt, disk.size), { tryboot });
  const { size } = await stat(disk);
  const descriptor = openSync(disk, 'r');
  try {
    return chooseBoot(new SdCard(readerAt(descriptor), size), { tryboot });
  } finally {
    closeSync(descriptor);
  }
}

function readerAt(descriptor: number): ReadAt {
  return (offset, length) => {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const count = readSync(descriptor, bytes, done, length - done, offset + done);
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  };
}
