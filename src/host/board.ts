import type { Emulator } from '../build/emulator.ts';
import type { Forward } from './qemu/args.ts';

/** What makes a machine of that kind start: UEFI finds its way inside QEMU, a Pi's boot ROM is modelled by us. */
export interface Board {
  readonly emulator: Emulator;
  /** Whether a reset ends QEMU, and QEMU is started anew: so that the board's boot ROM chooses again, or because that is quicker. */
  readonly resetEndsQemu: boolean;
  /**
   * Whether a watchdog that has run out only stops the machine (QEMU's `-action watchdog=pause`), to be reset in the same QEMU: a new
   * one's would not know that it was the watchdog. Default false.
   */
  readonly watchdogPauses?: boolean;
  /** Which of QEMU's serial ports is the console; the other one is the shell's. */
  readonly consoleSerial: 0 | 1;
  /** A console line after which the guest only halts although it wants the power off; undefined when QEMU ends by itself. */
  readonly powerOffLine: RegExp | undefined;
  /**
   * What the board's firmware remembers over a reset, not over a power cut; undefined where QEMU keeps that itself. The guest sets
   * it by asking its firmware; who sets it here plays a guest that has.
   */
  readonly flags?: { tryboot: boolean };
  /** Called at the moment of a power cut: what else loses its power, besides QEMU. */
  cutPower?(): void;
  /** Called as a reset ends QEMU: if QEMU now flushes its disk, no guest has asked for it. */
  leaveDisk?(): void;
  /** What QEMU is to be started with, at power-on and, where a reset ends QEMU, at every reset. */
  powerOn(forwards: readonly Forward[]): Promise<PowerOn>;
}

export interface PowerOn {
  /** QEMU's program. */
  file: string;
  args: string[];
  /** What was decided on the way, for the transcript. */
  notes?: readonly string[];
}
