import type { ReadAt } from '../../formats/bytes.ts';
import { type FatReader, readFat } from '../../formats/fat/index.ts';
import { type MbrRead, readMbr } from '../../formats/mbr.ts';
import { doesNotBoot, type Symptom } from './failure.ts';

const MiB = 1024 * 1024;
/** Smaller FAT16 partitions have been seen to fail. */
const MIN_PARTITION = 2 * MiB;
/**
 * FAT32 and FAT16 as the boot ROM takes them: 0x0b and 0x0c are reported from the field, 0x0e is what NOOBS cards
 * have. An EFI system partition (0xef) does not boot.
 */
const FAT_TYPES: readonly number[] = [0x0b, 0x0c, 0x0e];

/** A FAT partition of the card. */
export interface BootPartition {
  /** As in the MBR, from 1. */
  number: number;
  /** Bytes. */
  size: number;
  fat: FatReader;
}

/** An SD card as the boot ROM sees it: four entries of an MBR, and FAT file systems in them. */
export class SdCard {
  readonly #read: ReadAt;
  readonly #mbr: MbrRead;

  /**
   * @param size bytes
   * @throws FwError `pi-does-not-boot` when there is no MBR
   */
  constructor(read: ReadAt, size: number) {
    this.#read = read;
    try {
      this.#mbr = readMbr(read, size);
    } catch (cause) {
      throw doesNotBoot(
        'nothing',
        `its boot ROM finds no partition table it can read (${messageOf(cause)})`,
        {
          expected: 'an MBR; the boot ROM of a Pi 3 reads nothing else',
          cause,
        },
      );
    }
  }

  /**
   * The first partition of a FAT type: the only place where the boot ROM looks for bootcode.bin.
   * @throws FwError `pi-does-not-boot`
   */
  firstFat(): BootPartition {
    const number = this.#mbr.numbers.find((_, index) =>
      FAT_TYPES.includes(this.#mbr.primaries[index]?.type ?? 0),
    );
    if (number !== undefined) return this.fat(number);
    throw doesNotBoot('nothing', 'its boot ROM finds no FAT partition', {
      expected: `a primary partition of type ${FAT_TYPES.map(hex).join(', ')}`,
    });
  }

  /**
   * The FAT file system of a primary partition.
   * @throws FwError `pi-does-not-boot` when there is none that the boot ROM and its second stage can read
   */
  fat(number: number): BootPartition {
    const entry = this.#mbr.primaries[this.#mbr.numbers.indexOf(number)];
    if (!entry) {
      throw doesNotBoot('cannotBoot', 'the partition to boot from does not exist', {
        partition: number,
        expected: `one of the primary partitions ${this.#mbr.numbers.join(', ')}`,
      });
    }
    const { type, size, firstByte } = entry;
    if (!FAT_TYPES.includes(type)) {
      throw doesNotBoot('notFat', `the partition to boot from has type ${hex(type)}`, {
        partition: number,
        expected: `type ${FAT_TYPES.map(hex).join(', ')}`,
      });
    }
    const fat = this.#open(number, firstByte, size);
    if (fat.type === 12 || size < MIN_PARTITION) {
      throw doesNotBoot('notFat', `a FAT${fat.type} of ${size} bytes is too small`, {
        partition: number,
        expected: `FAT16 or FAT32 of at least ${MIN_PARTITION} bytes`,
      });
    }
    return { number, size, fat };
  }

  #open(number: number, firstByte: number, size: number): FatReader {
    const read: ReadAt = (offset, length) => {
      const inside = Math.max(0, Math.min(length, size - offset));
      return this.#read(firstByte + offset, inside);
    };
    try {
      return readFat(read);
    } catch (cause) {
      throw doesNotBoot('notFat', `its file system cannot be read (${messageOf(cause)})`, {
        partition: number,
        expected: 'a FAT16 or FAT32 file system',
        cause,
      });
    }
  }
}

/**
 * Makes sure that a file is there and has content.
 * @throws FwError `pi-does-not-boot`
 */
export function requireFile({ number, fat }: BootPartition, path: string, symptom: Symptom): void {
  const entry = fat.stat(path);
  if (entry && !entry.isDirectory && entry.size > 0) return;
  throw doesNotBoot(symptom, `${path} is ${entry ? 'empty' : 'missing'}`, {
    partition: number,
    file: path,
    expected: 'the file, with content',
  });
}

function hex(type: number): string {
  return `0x${type.toString(16).padStart(2, '0')}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
