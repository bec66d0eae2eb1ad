import { crc32 } from 'node:zlib';
import { FormatError } from '../errors.ts';
import { alignDown, type Piece, viewOf, type WriteStep } from './bytes.ts';
import type { GptRead } from './gpt-read.ts';
import { guidToBytes } from './guid.ts';

export { type GptRead, readGpt } from './gpt-read.ts';

const SECTOR = 512;
const MiB = 1024 * 1024;
const HEADER_BYTES = 92;
const ENTRY_BYTES = 128;
const ENTRIES = 128;
const TABLE_SECTORS = (ENTRIES * ENTRY_BYTES) / SECTOR;
/** Protective MBR, header, entries. */
const FIRST_USABLE = 2 + TABLE_SECTORS;
const MAX_NAME_UNITS = 36;
const REVISION = 0x0001_0000;

/** Partition types. */
export const GPT_TYPES = {
  /** EFI system partition (UEFI specification, table 5-7). */
  esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
  /** Linux file system data. */
  linux: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
  /**
   * Hearth's state area: environment, identity and heart's record, outside every file system. Our own GUID, made at
   * random, so that no other system takes the partition for something to mount or format.
   */
  hearthState: 'D79449E6-4C38-47F9-93C4-3B63397503F3',
} as const;

export interface GptPartition {
  /** Type GUID, e.g. one of GPT_TYPES. */
  type: string;
  /** The partition's own GUID. */
  guid: string;
  /** At most 36 UTF-16 units. */
  name: string;
  /** Bytes from the start of the disk, a multiple of 512. */
  firstByte: number;
  /** Bytes, a multiple of 512. */
  size: number;
  /** The 64 attribute bits (UEFI specification, table 5-8). */
  attributes?: bigint;
}

export interface Gpt {
  /** Bytes; a multiple of 512. */
  diskSize: number;
  diskGuid: string;
  /** Partition N of the table at index N-1; unused entries are left out by the reader. */
  partitions: GptPartition[];
}

function refuse(message: string, expected: string, where?: string): never {
  throw new FormatError('gpt', message, { expected, ...(where ? { where } : {}) });
}

/** The last byte, plus one, that a partition may use. */
function usableEnd(diskSize: number): number {
  return (diskSize / SECTOR - 1 - TABLE_SECTORS) * SECTOR;
}

function checkPartitions(table: Gpt): void {
  const { diskSize, partitions } = table;
  if (!Number.isSafeInteger(diskSize / SECTOR) || diskSize < (FIRST_USABLE + TABLE_SECTORS + 2) * SECTOR) {
    refuse(`a disk of ${diskSize} bytes cannot have a GPT`, 'a multiple of 512 bytes, at least 34,816');
  }
  if (partitions.length > ENTRIES) refuse(`${partitions.length} partitions`, `at most ${ENTRIES}`);
  const first = FIRST_USABLE * SECTOR;
  const end = usableEnd(diskSize);
  const guids = new Set<string>();
  for (const { name, firstByte, size, guid } of partitions) {
    if (name.length > MAX_NAME_UNITS || name.includes('\0')) {
      refuse('the name cannot be written', `at most ${MAX_NAME_UNITS} UTF-16 units, no NUL`, name);
    }
    if (guids.has(guid.toUpperCase()))
      refuse(`the GUID ${guid} is used twice`, 'one for each partition', name);
    guids.add(guid.toUpperCase());
    if (firstByte % SECTOR !== 0 || size % SECTOR !== 0 || !(size > 0)) {
      refuse(`starts at byte ${firstByte} with ${size} bytes`, 'multiples of 512, and not empty', name);
    }
    if (firstByte < first)
      refuse(`starts at byte ${firstByte}, inside the table`, `byte ${first} or later`, name);
    const excess = firstByte + size - end;
    if (excess > 0)
      refuse(`ends ${excess} bytes beyond what the disk can hold`, `an end at or before ${end}`, name);
  }
  const ordered = partitions.toSorted((a, b) => a.firstByte - b.firstByte);
  ordered.forEach((partition, index) => {
    const next = ordered[index + 1];
    const overlap = next ? partition.firstByte + partition.size - next.firstByte : 0;
    if (overlap > 0)
      refuse(`overlaps '${next?.name}' by ${overlap} bytes`, 'partitions apart', partition.name);
  });
}

function entryArray(partitions: readonly (GptPartition | undefined)[]): Uint8Array {
  const bytes = new Uint8Array(ENTRIES * ENTRY_BYTES);
  partitions.forEach((partition, index) => {
    if (!partition) return;
    const entry = bytes.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    const view = viewOf(entry);
    entry.set(guidToBytes(partition.type), 0);
    entry.set(guidToBytes(partition.guid), 16);
    view.setBigUint64(32, BigInt(partition.firstByte / SECTOR), true);
    view.setBigUint64(40, BigInt((partition.firstByte + partition.size) / SECTOR - 1), true);
    view.setBigUint64(48, partition.attributes ?? 0n, true);
    entry.set(Buffer.from(partition.name, 'utf16le'), 56);
  });
  return bytes;
}

function headerBytes(table: Gpt, entries: Uint8Array, copy: 'primary' | 'backup'): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = viewOf(bytes);
  const last = table.diskSize / SECTOR - 1;
  const [mine, other, firstEntry] = copy === 'primary' ? [1, last, 2] : [last, 1, last - TABLE_SECTORS];
  bytes.set(Buffer.from('EFI PART'));
  view.setUint32(8, REVISION, true);
  view.setUint32(12, HEADER_BYTES, true);
  view.setBigUint64(24, BigInt(mine), true);
  view.setBigUint64(32, BigInt(other), true);
  view.setBigUint64(40, BigInt(FIRST_USABLE), true);
  view.setBigUint64(48, BigInt(usableEnd(table.diskSize) / SECTOR - 1), true);
  bytes.set(guidToBytes(table.diskGuid), 56);
  view.setBigUint64(72, BigInt(firstEntry), true);
  view.setUint32(80, ENTRIES, true);
  view.setUint32(84, ENTRY_BYTES, true);
  view.setUint32(88, crc32(entries), true);
  view.setUint32(16, crc32(bytes.subarray(0, HEADER_BYTES)), true);
  return bytes;
}

/**
 * The protective MBR. Its one partition claims the largest size (0xFFFFFFFF sectors, as the specification has it
 * for disks beyond 2 TiB) on every disk: so it is as right after growing or copying as before, and sector 0 is never
 * written again.
 */
function protectiveMbr(): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = viewOf(bytes);
  bytes.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], 446);
  view.setUint32(454, 1, true);
  view.setUint32(458, 0xffff_ffff, true);
  view.setUint16(510, 0xaa55, true);
  return bytes;
}

/** Header and entries of one copy as one piece: [1, 34) sectors, or the last 33. */
function copyPiece(
  table: Gpt,
  slots: readonly (GptPartition | undefined)[],
  copy: 'primary' | 'backup',
): Piece {
  const entries = entryArray(slots);
  const header = headerBytes(table, entries, copy);
  return copy === 'primary'
    ? { offset: SECTOR, bytes: Buffer.concat([header, entries]) }
    : { offset: usableEnd(table.diskSize), bytes: Buffer.concat([entries, header]) };
}

/**
 * Writes a GUID partition table (UEFI specification 2.10, section 5.3): 128 entries, sectors of 512 bytes. Two pieces:
 * protective MBR with the primary table, and the backup at the end of the disk.
 * @throws FormatError that names the partition which overlaps, or does not fit, and by how much
 */
export function writeGpt(table: Gpt): Piece[] {
  checkPartitions(table);
  const primary = copyPiece(table, table.partitions, 'primary');
  const backup = copyPiece(table, table.partitions, 'backup');
  return [{ offset: 0, bytes: Buffer.concat([protectiveMbr(), primary.bytes]) }, backup];
}

/**
 * Makes the table fit a larger disk and gives one partition, the last on the disk, all the room up to a border of
 * 1 MiB. The steps are to be written in order, with a flush after each: the backup at the new end goes first, so
 * that a cut between them leaves the old primary, and a torn primary leaves the new backup. Where only the backup was
 * readable the primary goes first, for the same reason. Also repairs a bad or missing copy. No steps: nothing is to
 * be done.
 * @param name of the partition that grows
 * @throws FormatError when the disk is smaller than the table's partitions, the name is missing, or another
 *   partition lies behind it
 */
export function growGpt(gpt: GptRead, newDiskSize: number, name: string): WriteStep[] {
  const diskSize = alignDown(newDiskSize, SECTOR);
  const grown = gpt.partitions.find((partition) => partition.name === name);
  if (!grown) refuse('there is no such partition', gpt.partitions.map((each) => each.name).join(', '), name);
  const behind = gpt.partitions.find((each) => each.firstByte > grown.firstByte);
  if (behind) refuse(`'${behind.name}' lies behind it, so it cannot grow`, 'the last partition', name);
  const end = Math.max(alignDown(usableEnd(diskSize), MiB), grown.firstByte + grown.size);
  const partitions = gpt.partitions.map((each) =>
    each === grown ? { ...each, size: end - each.firstByte } : each,
  );
  const table: Gpt = { diskSize, diskGuid: gpt.diskGuid, partitions };
  checkPartitions(table);
  const unchanged = end === grown.firstByte + grown.size && gpt.backupByte === diskSize - SECTOR;
  if (unchanged && gpt.problem === undefined) return [];
  if (gpt.numbers.some((number) => number > ENTRIES))
    refuse('the table was made by another tool', `${ENTRIES} entries`);
  const slots: (GptPartition | undefined)[] = [];
  gpt.numbers.forEach((number, index) => {
    slots[number - 1] = partitions[index];
  });
  const steps = [
    { ...copyPiece(table, slots, 'backup'), why: 'backup partition table at the end of the disk' },
    { ...copyPiece(table, slots, 'primary'), why: 'primary partition table' },
  ];
  return gpt.from === 'primary' ? steps : steps.reverse();
}
