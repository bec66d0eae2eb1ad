import { parseConfigText, settingOf } from './config-txt.ts';
import { doesNotBoot } from './failure.ts';
import { type FirmwareChoice, runFirmware } from './firmware.ts';
import { type BootPartition, requireFile, type SdCard } from './sdcard.ts';

/** "autoboot.txt … is limited to 512 bytes" (Raspberry Pi documentation, "autoboot.txt"). */
const MAX_AUTOBOOT = 512;

/** A Raspberry Pi 3 B, as conditional filters of config.txt name it. */
const MODELS = ['pi3'];

export interface BootChoice extends FirmwareChoice {
  /** Number of the partition that it booted from. */
  partition: number;
  /** What was read and decided, step by step, for people. */
  trace: string[];
}

/**
 * What a Raspberry Pi 3 B does from power-on until its kernel starts, on the bytes of its SD card: the boot ROM,
 * bootcode.bin with autoboot.txt, and start.elf with config.txt (Raspberry Pi documentation, "Raspberry Pi boot modes",
 * "autoboot.txt", "config.txt"). The emulator does not run those programs; they are only looked for.
 * @param tryboot the one-shot flag that `reboot "0 tryboot"` leaves behind
 * @throws FwError `pi-does-not-boot` where a real board would not start the kernel
 */
export function chooseBoot(card: SdCard, { tryboot }: { tryboot: boolean }): BootChoice {
  const control = card.firstFat();
  const trace = [`boot ROM: the first FAT partition is ${describe(control)}`];
  requireFile(control, 'bootcode.bin', 'nothing');
  const { number, trybootAb } = bootPartition(control, tryboot, trace);
  const boot = number === control.number ? control : card.fat(number);
  trace.push(`bootcode.bin: boots ${describe(boot)}${tryboot ? ' (tryboot)' : ''}`);
  // Without tryboot_a_b the flag chooses another config file on the same partition.
  const configFile = tryboot && !trybootAb ? 'tryboot.txt' : 'config.txt';
  const choice = runFirmware(boot, {
    configFile,
    context: { models: MODELS, tryboot, partition: number },
    trace,
  });
  return { ...choice, partition: number, trace };
}

function describe({ number, size, fat }: BootPartition): string {
  return `partition ${number} (FAT${fat.type}, ${size} bytes)`;
}

function bootPartition(
  control: BootPartition,
  tryboot: boolean,
  trace: string[],
): { number: number; trybootAb: boolean } {
  const { number, fat } = control;
  const entry = fat.stat('autoboot.txt');
  if (!entry) {
    trace.push(`bootcode.bin: no autoboot.txt on partition ${number}`);
    return { number, trybootAb: false };
  }
  if (!fat.stat('config.txt')) {
    throw doesNotBoot('cannotBoot', 'autoboot.txt has no config.txt beside it and is ignored', {
      partition: number,
      file: 'config.txt',
      expected: 'a config.txt beside autoboot.txt, be it empty',
    });
  }
  if (entry.size > MAX_AUTOBOOT) {
    throw doesNotBoot('cannotBoot', `autoboot.txt has ${entry.size} bytes`, {
      partition: number,
      file: 'autoboot.txt',
      expected: `at most ${MAX_AUTOBOOT} bytes`,
    });
  }
  const text = Buffer.from(fat.file('autoboot.txt')).toString('latin1');
  const config = parseConfigText(text, { models: MODELS, tryboot, partition: number });
  trace.push(...config.notes.map((note) => `autoboot.txt: ${note}`));
  const chosen = settingOf(config, 'boot_partition');
  const trybootAb = settingOf(config, 'tryboot_a_b')?.value === '1';
  trace.push(
    `autoboot.txt: ${chosen ? `boot_partition=${chosen.value} (line ${chosen.line})` : 'no boot_partition'}`,
  );
  if (!chosen || chosen.value === '0') return { number, trybootAb };
  if (!/^\d+$/.test(chosen.value)) {
    throw doesNotBoot('cannotBoot', `boot_partition=${chosen.value} is no partition`, {
      partition: number,
      file: `autoboot.txt, line ${chosen.line}`,
      expected: 'the number of a primary partition',
    });
  }
  return { number: Number(chosen.value), trybootAb };
}
