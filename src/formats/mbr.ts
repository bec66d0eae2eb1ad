import { FormatError } from '../errors.ts';
import { alignDown, type Piece, type ReadAt, readExactly, viewOf, type WriteStep } from './bytes.ts';

const SECTOR = 512;
const MiB = 1024 * 1024;
const SIGNATURE_OFFSET = 0x1b8;
const TABLE_OFFSET = 446;
const ENTRY_BYTES = 16;
const BOOT_SIGNATURE = 0xaa55;
/** Sector numbers have 32 bits: 2 TiB is the end. */
const MAX_BYTES = 0xffff_ffff * SECTOR;
/** Far more logical partitions than any disk of ours has; ends every chain. */
const MAX_EBRS = 60;
/** What stands in place of cylinder, head and sector where only LBA counts. */
const NO_CHS = [0xfe, 0xff, 0xff];

/**
 * Bytes between the extended boot record (EBR) of a logical partition and the partition. What an SD card erases
 * at once is 4 MiB or less: rewriting an EBR must not endanger the end of the partition before it.
 */
export const EBR_GAP = 4 * MiB;

/** Partition types. */
export const MBR_TYPES = {
  fat16Lba: 0x0e,
  fat32Lba: 0x0c,
  linux: 0x83,
  extendedLba: 0x0f,
  extendedChs: 0x05,
  extendedLinux: 0x85,
  gptProtective: 0xee,
} as const;

export interface MbrPartition {
  /** Type byte, e.g. one of MBR_TYPES. */
  type: number;
  /** Bytes from the start of the disk, a multiple of 512. */
  firstByte: number;
  /** Bytes, a multiple of 512. */
  size: number;
}

export interface MbrTable {
  /** Bytes. */
  diskSize: number;
  /** 32 bits. */
  signature: number;
  /** p1, p2, p3; the writer makes p4 when there are logical ones. */
  primaries: MbrPartition[];
  /** p5, p6, …, in the order of the disk, each with EBR_GAP bytes free before it. */
  logicals: MbrPartition[];
}

/** A table as read from a disk. */
export interface MbrRead extends MbrTable {
  /** The kernel's number of each primary partition (1 to 4), in the order of `primaries`. */
  numbers: number[];
  /** The extended partition, which holds the EBRs; undefined when there are no logical ones. */
  extended: MbrPartition | undefined;
  /** Bytes: where the EBR of each logical partition is, in the order of `logicals`. */
  ebrs: number[];
}

function refuse(message: string, where: string, expected: string, remedy?: string): never {
  throw new FormatError('mbr', message, { where, expected, ...(remedy ? { remedy } : {}) });
}

function isExtended(type: number): boolean {
  const { extendedLba, extendedChs, extendedLinux } = MBR_TYPES;
  return type === extendedLba || type === extendedChs || type === extendedLinux;
}

/** A sector with partition entries; `base` is the byte that an entry's first sector is counted from. */
function tableSector(entries: ((MbrPartition & { base: number }) | undefined)[], signature = 0): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = viewOf(bytes);
  view.setUint32(SIGNATURE_OFFSET, signature, true);
  entries.forEach((entry, index) => {
    if (!entry) return;
    const { type, firstByte, size, base } = entry;
    const at = TABLE_OFFSET + index * ENTRY_BYTES;
    bytes.set(NO_CHS, at + 1);
    bytes[at + 4] = type;
    bytes.set(NO_CHS, at + 5);
    view.setUint32(at + 8, (firstByte - base) / SECTOR, true);
    view.setUint32(at + 12, size / SECTOR, true);
  });
  view.setUint16(510, BOOT_SIGNATURE, true);
  return bytes;
}

function endOf({ firstByte, size }: MbrPartition): number {
  return firstByte + size;
}

function checkTable({ diskSize, primaries, logicals }: MbrTable): void {
  if (primaries.length > (logicals.length > 0 ? 3 : 4)) {
    refuse(`${primaries.length} primary partitions`, 'p1 to p4', 'at most 3, or 4 without logical ones');
  }
  const end = Math.min(diskSize, MAX_BYTES);
  const named = [
    ...primaries.map((partition, index) => ({ partition, name: `p${index + 1}`, before: 0 })),
    ...logicals.map((partition, index) => ({ partition, name: `p${index + 5}`, before: EBR_GAP })),
  ];
  let free = SECTOR;
  let previous = 'the partition table';
  for (const { partition, name, before } of named) {
    const { firstByte, size, type } = partition;
    if (firstByte % SECTOR !== 0 || size % SECTOR !== 0 || !(size > 0)) {
      refuse(`starts at byte ${firstByte} with ${size} bytes`, name, 'multiples of 512, and not empty');
    }
    if (type <= 0 || type > 0xff || isExtended(type)) refuse(`type ${type}`, name, 'a type that holds data');
    const missing = free + before - firstByte;
    if (missing > 0) {
      const gap = before > 0 ? `, with ${before} bytes for its EBR` : '';
      refuse(`starts ${missing} bytes too early`, name, `a start behind ${previous}${gap}`);
    }
    const excess = endOf(partition) - end;
    if (excess > 0) refuse(`ends ${excess} bytes beyond the disk`, name, `an end at or before byte ${end}`);
    free = endOf(partition);
    previous = name;
  }
}

/**
 * Writes a partition table with primary and logical partitions, in the order of the disk, as pieces: sector 0 and one
 * EBR for each logical partition. No boot code, no active flag.
 *
 * The extended partition p4 goes from the first EBR to the end of the last logical partition. It does not reach
 * beyond the disk to prepare for growth: libparted refuses such a table altogether, and Linux does not need it.
 * @throws FormatError that names the partition which overlaps or does not fit, and by how much
 */
export function writeMbr(table: MbrTable): Piece[] {
  checkTable(table);
  const { primaries, logicals, signature } = table;
  const primary = primaries.map((partition) => ({ ...partition, base: 0 }));
  const first = logicals[0];
  const last = logicals.at(-1);
  if (!first || !last) return [{ offset: 0, bytes: tableSector(primary, signature) }];

  const start = first.firstByte - EBR_GAP;
  const extended = { type: MBR_TYPES.extendedLba, firstByte: start, size: endOf(last) - start, base: 0 };
  const mbr = tableSector([primary[0], primary[1], primary[2], extended], signature);
  const ebrs = logicals.map((logical, index) => {
    const offset = logical.firstByte - EBR_GAP;
    return { offset, bytes: ebrSector(logical, offset, logicals[index + 1], start) };
  });
  return [{ offset: 0, bytes: mbr }, ...ebrs];
}

/** The partition is counted from its EBR, the link to the next EBR from the start of the extended partition. */
function ebrSector(
  logical: MbrPartition,
  offset: number,
  next: MbrPartition | undefined,
  extendedStart: number,
): Uint8Array {
  const data = { ...logical, base: offset };
  if (!next) return tableSector([data]);
  const size = next.size + EBR_GAP;
  const link = {
    type: MBR_TYPES.extendedChs,
    firstByte: next.firstByte - EBR_GAP,
    size,
    base: extendedStart,
  };
  return tableSector([data, link]);
}

/** The four entries of a table sector; first bytes are relative to whatever the sector's kind says. */
function readEntries(read: ReadAt, offset: number): MbrPartition[] {
  const bytes = readExactly(read, offset, SECTOR, 'mbr');
  const view = viewOf(bytes);
  const where = `byte ${offset}`;
  if (view.getUint16(510, true) !== BOOT_SIGNATURE) refuse('no boot signature', where, 'a partition table');
  return [0, 1, 2, 3].map((index) => {
    const at = TABLE_OFFSET + index * ENTRY_BYTES;
    const flag = view.getUint8(at);
    if (flag !== 0 && flag !== 0x80) refuse(`entry ${index + 1} has boot flag ${flag}`, where, '0 or 0x80');
    const size = view.getUint32(at + 12, true) * SECTOR;
    return {
      type: size === 0 ? 0 : view.getUint8(at + 4),
      firstByte: view.getUint32(at + 8, true) * SECTOR,
      size,
    };
  });
}

/**
 * Reads and checks a partition table and the chain of its EBRs.
 * @param diskSize bytes
 * @throws FormatError when it is no MBR (or protects a GPT), a partition leaves the disk, or the chain of EBRs does
 *   not go forward inside the extended partition
 */
export function readMbr(read: ReadAt, diskSize: number): MbrRead {
  const primaries: MbrPartition[] = [];
  const numbers: number[] = [];
  let extended: MbrPartition | undefined;
  readEntries(read, 0).forEach((entry, index) => {
    if (entry.type === MBR_TYPES.gptProtective) refuse('it protects a GPT', `entry ${index + 1}`, 'no GPT');
    if (entry.type === 0) return;
    if (isExtended(entry.type)) {
      if (extended) refuse('a second extended partition', `entry ${index + 1}`, 'at most one');
      extended = entry;
    } else {
      primaries.push(entry);
      numbers.push(index + 1);
    }
  });
  const signature = viewOf(readExactly(read, 0, SECTOR, 'mbr')).getUint32(SIGNATURE_OFFSET, true);
  const table = { diskSize, signature, primaries, numbers, extended, logicals: [], ebrs: [] };
  const result: MbrRead = extended ? { ...table, ...readChain(read, extended) } : table;
  const named = [
    ...primaries.map((partition, index) => ({ partition, name: `p${numbers[index]}` })),
    ...result.logicals.map((partition, index) => ({ partition, name: `p${index + 5}` })),
  ];
  for (const { partition, name } of named) {
    if (partition.firstByte < SECTOR) refuse('starts inside the partition table', name, 'a start behind it');
    const excess = endOf(partition) - diskSize;
    if (excess > 0) {
      refuse(
        `ends ${excess} bytes beyond the disk`,
        name,
        `an end at or before byte ${diskSize}`,
        'use a larger disk',
      );
    }
  }
  return result;
}

function readChain(read: ReadAt, extended: MbrPartition): { logicals: MbrPartition[]; ebrs: number[] } {
  const logicals: MbrPartition[] = [];
  const ebrs: number[] = [];
  let offset = extended.firstByte;
  for (let count = 0; ; count++) {
    if (count === MAX_EBRS) refuse(`more than ${MAX_EBRS} EBRs`, `byte ${offset}`, 'an end of their chain');
    // Only the first two entries mean something; in the others Linux has seen garbage.
    const entries = readEntries(read, offset).slice(0, 2);
    const data = entries.find(({ type }) => type !== 0 && !isExtended(type));
    if (data) {
      if (data.firstByte === 0)
        refuse('a partition that starts on its EBR', `byte ${offset}`, 'a start behind it');
      logicals.push({ ...data, firstByte: data.firstByte + offset });
      ebrs.push(offset);
    }
    const link = entries.find(({ type }) => isExtended(type));
    if (!link) return { logicals, ebrs };
    const next = extended.firstByte + link.firstByte;
    if (next <= offset || next >= endOf(extended)) {
      const expected = `a byte between ${offset} and ${endOf(extended)}`;
      refuse(`the EBR's link leads to byte ${next}`, `byte ${offset}`, expected);
    }
    offset = next;
  }
}

/**
 * Gives the last logical partition all the room of a larger disk, up to a border of 1 MiB: one write of one sector,
 * its own EBR. No step: nothing is to be done.
 *
 * The MBR stays as it is, so the partition then runs beyond the end of p4. Linux takes a logical partition's size from
 * its EBR without comparing it to p4 (parse_extended in block/partitions/msdos.c; entries 3 and 4 only are
 * compared), and so does libblkid; `sfdisk -V` mentions it. A card written by `fw burn` has its final table at once.
 * @throws FormatError when there is no logical partition, or another partition lies behind it
 */
export function growMbr(mbr: MbrRead, newDiskSize: number): WriteStep[] {
  const last = mbr.logicals.at(-1);
  const ebr = mbr.ebrs.at(-1);
  if (!last || ebr === undefined) refuse('no logical partition', 'p4', 'a logical partition that can grow');
  const name = `p${mbr.logicals.length + 4}`;
  const others = [...mbr.primaries, ...mbr.logicals.slice(0, -1)];
  const behind = others.find((other) => endOf(other) > last.firstByte);
  if (behind) {
    refuse(`another partition ends at byte ${endOf(behind)}, behind its start`, name, 'the last partition');
  }
  const end = alignDown(Math.min(newDiskSize, MAX_BYTES), MiB);
  if (end <= endOf(last)) return [];
  const grown = { ...last, size: end - last.firstByte, base: ebr };
  return [
    { offset: ebr, bytes: tableSector([grown]), why: `size of ${name} in its own extended boot record` },
  ];
}
