import type { Emulator } from './emulator.ts';

/** A kind of board: which parts its system is made of, and how it boots. `targets/NAME/target.ts` exports one. */
export interface Target {
  name: string;
  /** One line for people. */
  description: string;
  arch: Arch;
  /** Debian packages and the files taken from each; the lock says which versions. */
  packages: PackagePick[];
  modules: Modules;
  /** Serial ports as the kernel names them: the console, and the second port that may carry a root shell. */
  console: { kernel: string[]; shell: string };
  boot: UefiBoot | PiBoot;
  /** Fixed places on the disk, bytes. */
  rootSlotSize: number;
  emulator: Emulator;
}

export type Arch = 'x86_64' | 'aarch64';

/** Files taken from a Debian package: exact paths, folders (ending in '/'), or patterns with '*' in one component. */
export interface PackagePick {
  name: string;
  files: string[];
}

/** Kernel modules, by name, in the kernel's package. Their dependencies come along. */
export interface Modules {
  /** In the initramfs, loaded first when the hardware has them. */
  watchdog: string[];
  /** In the initramfs: what stands between the kernel and the root file system. */
  root: string[];
  /** Loaded always, before the root is looked for: file systems, and buses that no modalias names. */
  always: string[];
  /** In the root: loaded when the hardware has them. Names, or folders of the kernel tree ending in '/'. */
  device: string[];
}

export interface UefiBoot {
  family: 'uefi';
  /** The stub inside the systemd-boot-efi package, and the boot loader's removable-media name on the ESP. */
  stub: string;
  loader: string;
  loaderPath: string;
  /** Size of each slot's unified kernel image on the ESP, bytes: fixed for the life of a device. */
  slotSize: number;
  espSize: number;
}

export interface PiBoot {
  family: 'pi';
  /** Boot-ROM stage of boards without an EEPROM; lives on the control partition. */
  bootcode: string;
  /** Firmware blobs for the boot partitions. */
  blobs: string[];
  /** Device trees, by name, from the kernel's package. */
  dtbs: string[];
  /** Lines for config.txt. */
  config: string[];
  slotSize: number;
  controlSize: number;
}
