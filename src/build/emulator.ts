/** The emulated machines that `fw run` knows; a target names the one that stands for it. */
export type Emulator = 'q35' | 'virt-arm64' | 'raspi3b';
