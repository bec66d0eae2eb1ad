import type { Emulator } from '../../src/build/emulator.ts';

/** What an emulated board is, to who cuts its power. */
export interface Board {
  target: string;
  emulator: Emulator;
  /** Whether QEMU can save it while it runs; it cannot with a usb-net, the only network card of a Raspberry Pi's model. */
  isSavable: boolean;
  /** Whether it gets whole firmware, too, and not only differences: through a usb-net one takes many minutes. */
  getsFiles: boolean;
  table: 'gpt' | 'mbr';
  /** What looks whether the partition table is valid, and what it says of one that is. */
  tableCheck: { command: readonly [string, ...string[]]; good: RegExp };
  /** Where /data is. */
  data: string;
}

const BOARDS: Record<string, Board> = {
  x86_64: {
    target: 'x86_64',
    emulator: 'q35',
    isSavable: true,
    getsFiles: true,
    table: 'gpt',
    tableCheck: { command: ['sgdisk', '-v'], good: /No problems found/ },
    data: '/dev/vda5',
  },
  rpi3: {
    target: 'rpi3',
    emulator: 'raspi3b',
    isSavable: false,
    getsFiles: false,
    table: 'mbr',
    tableCheck: {
      command: ['sfdisk', '--verify'],
      // The one that growing makes on purpose (growMbr), and no other.
      good: /No errors detected|Logical partition 7: not entirely in partition 4\.\n1 error detected/,
    },
    data: '/dev/mmcblk0p7',
  },
};

export function boardOf(target: string): Board {
  const board = BOARDS[target];
  if (!board) throw new Error(`no board for ${target}; there are ${Object.keys(BOARDS).join(' and ')}`);
  return board;
}
