/**
 * Where things lie on a Hearth disk. One place for the numbers that the image writer, the device and heart
 * (`firmware/heart/layout.h` repeats them; a test compares) must agree on. Offsets and sizes are bytes.
 */
export const MiB = 1024 * 1024;
export const SECTOR = 512;

/**
 * The state area, [1 MiB, 16 MiB) of the disk, holds small redundant records outside every file system. On GPT it
 * is a partition of its own so that no other tool takes the space; on MBR it is the gap before p1. The copies of
 * a record lie 4 MiB apart, so that one torn erase block cannot take both.
 */
export const STATE_AREA = { offset: 1 * MiB, size: 15 * MiB } as const;

/** U-Boot environment (standard redundant format), two copies. */
export const ENV = { offsets: [1 * MiB, 5 * MiB], size: 16 * 1024 } as const;
/** Identity: device key, serial, host name, networks, operator keys. Two copies. */
export const IDENTITY = { offsets: [2 * MiB, 6 * MiB], size: 64 * 1024 } as const;
/** heart's own record (reset cause, clock floor, random seed): one sector, two copies written in turn. */
export const HEART_STATE = { offsets: [3 * MiB, 7 * MiB], size: SECTOR } as const;

/** The first partition after the state area starts here, aligned to what SD cards erase at once. */
export const FIRST_PARTITION = 16 * MiB;

/** GPT partition names; heart finds its root by them. */
export const PARTITION_NAMES = {
  esp: 'hearth-esp',
  state: 'hearth-state',
  rootA: 'hearth-root-a',
  rootB: 'hearth-root-b',
  data: 'hearth-data',
} as const;

/** The MBR disk signature of every Hearth disk with an MBR: 'HRTH', read as little-endian. */
export const MBR_SIGNATURE = 0x48545248;

/** heart reads so much of `/modules/load` in the initramfs, less one byte; the build refuses a longer list. */
export const LOAD_LIST_SIZE = 1 * MiB;
