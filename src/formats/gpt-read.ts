import { crc32 } from 'node:zlib';
import { FormatError } from '../errors.ts';
import { isZero, type ReadAt, readExactly, viewOf } from './bytes.ts';
import type { Gpt, GptPartition } from './gpt.ts';
import { guidFromBytes } from './guid.ts';

const SECTOR = 512;
/** What revision 1.0 of the header and of an entry hold. */
const HEADER_BYTES = 92;
const ENTRY_BYTES = 128;
/** Eight times what anybody uses; bounds memory on a hostile disk. */
const MAX_ENTRIES = 1024;
const MAX_ENTRY_BYTES = 1024;

/** A table as read, and from which of its two copies. */
export interface GptRead extends Gpt {
  /** Number of each partition as the kernel counts (vda1 is 1), in the order of `partitions`. */
  numbers: number[];
  from: 'primary' | 'backup';
  /** What is wrong with the other copy, or undefined when it is there, valid, and says the same. */
  problem: string | undefined;
  /** Where the primary's header says the backup is, in bytes; on a copied image that is not the disk's end. */
  backupByte: number;
}

function refuse(message: string, expected: string, where?: string): never {
  throw new FormatError('gpt', message, { expected, ...(where ? { where } : {}) });
}

interface Copy {
  table: Gpt;
  numbers: number[];
  other: number;
  /** The same in two copies that agree. */
  identity: string;
}

function sectorNumber(view: DataView, offset: number, what: string): number {
  const value = view.getBigUint64(offset, true);
  if (value > BigInt(Math.floor(Number.MAX_SAFE_INTEGER / SECTOR)))
    refuse(`${what} is absurd`, 'a sector of the disk');
  return Number(value);
}

function readCopy(read: ReadAt, diskSize: number, lba: number): Copy {
  const header = readExactly(read, lba * SECTOR, SECTOR, 'gpt').slice();
  const view = viewOf(header);
  const where = `header at byte ${lba * SECTOR}`;
  if (Buffer.from(header.subarray(0, 8)).toString('latin1') !== 'EFI PART')
    refuse('no signature', "'EFI PART'", where);
  const headerBytes = view.getUint32(12, true);
  if (headerBytes < HEADER_BYTES || headerBytes > SECTOR)
    refuse(`header size ${headerBytes}`, '92 to 512', where);
  const headerCrc = view.getUint32(16, true);
  view.setUint32(16, 0, true);
  if (crc32(header.subarray(0, headerBytes)) !== headerCrc)
    refuse('the checksum is wrong', 'an intact header', where);
  if (sectorNumber(view, 24, 'its place') !== lba) refuse('it belongs elsewhere', `place ${lba}`, where);
  const count = view.getUint32(80, true);
  const entryBytes = view.getUint32(84, true);
  if (
    count === 0 ||
    count > MAX_ENTRIES ||
    entryBytes < ENTRY_BYTES ||
    entryBytes > MAX_ENTRY_BYTES ||
    entryBytes % 128 !== 0
  ) {
    refuse(`${count} entries of ${entryBytes} bytes`, '1 to 1,024 of 128 to 1,024 bytes', where);
  }
  const firstEntry = sectorNumber(view, 72, 'the entries’ place');
  const entries = readExactly(read, firstEntry * SECTOR, count * entryBytes, 'gpt');
  if (crc32(entries) !== view.getUint32(88, true))
    refuse('the entries’ checksum is wrong', 'intact entries', where);
  const firstUsable = sectorNumber(view, 40, 'first usable');
  const lastUsable = sectorNumber(view, 48, 'last usable');
  if (lastUsable >= diskSize / SECTOR) {
    const missing = (lastUsable + 1) * SECTOR - diskSize;
    refuse(
      `the disk is at least ${missing} bytes smaller than the one the table was made for`,
      'a larger disk',
      where,
    );
  }
  const partitions: GptPartition[] = [];
  const numbers: number[] = [];
  for (let index = 0; index < count; index++) {
    const entry = entries.subarray(index * entryBytes, (index + 1) * entryBytes);
    if (isZero(entry.subarray(0, 16))) continue;
    const entryView = viewOf(entry);
    const first = sectorNumber(entryView, 32, `partition ${index + 1}`);
    const last = sectorNumber(entryView, 40, `partition ${index + 1}`);
    if (first < firstUsable || last < first || last > lastUsable) {
      refuse(
        `partition ${index + 1} is [${first}, ${last}]`,
        `sectors ${firstUsable} to ${lastUsable}`,
        where,
      );
    }
    numbers.push(index + 1);
    partitions.push({
      type: guidFromBytes(entry.subarray(0, 16)),
      guid: guidFromBytes(entry.subarray(16, 32)),
      name: Buffer.from(entry.subarray(56, 128)).toString('utf16le').split('\0')[0] ?? '',
      firstByte: first * SECTOR,
      size: (last - first + 1) * SECTOR,
      attributes: entryView.getBigUint64(48, true),
    });
  }
  const diskGuid = guidFromBytes(header.subarray(56, 72));
  const identity = `${diskGuid} ${view.getUint32(88, true)} ${firstUsable} ${lastUsable}`;
  return {
    table: { diskSize, diskGuid, partitions },
    numbers,
    other: sectorNumber(view, 32, 'the backup'),
    identity,
  };
}

/** Runs a parser; its complaint is a value. */
function attempt(parse: () => Copy): { copy: Copy } | { problem: string } {
  try {
    return { copy: parse() };
  } catch (error) {
    if (error instanceof FormatError) return { problem: error.message };
    throw error;
  }
}

/**
 * Reads and checks a GUID partition table: the primary, or the backup at the disk's end when the primary is bad.
 * @param diskSize bytes
 * @throws FormatError when neither copy is valid, saying why for both
 */
export function readGpt(read: ReadAt, diskSize: number): GptRead {
  const last = Math.floor(diskSize / SECTOR) - 1;
  const primary = attempt(() => readCopy(read, diskSize, 1));
  const backup = attempt(() => readCopy(read, diskSize, last));
  if ('copy' in primary) {
    const { table, numbers, other, identity } = primary.copy;
    const differs =
      'copy' in backup && backup.copy.identity !== identity ? 'the backup says something else' : undefined;
    const problem = 'problem' in backup ? backup.problem : differs;
    return { ...table, numbers, from: 'primary', problem, backupByte: other * SECTOR };
  }
  if ('copy' in backup) {
    const { table, numbers } = backup.copy;
    return { ...table, numbers, from: 'backup', problem: primary.problem, backupByte: last * SECTOR };
  }
  throw new FormatError('gpt', `no valid table: primary: ${primary.problem}; backup: ${backup.problem}`, {
    expected: 'a disk with a GUID partition table',
  });
}
