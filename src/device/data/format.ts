import { FwError } from '../../errors.ts';
import type { ReadAt, WriteStep } from '../../formats/bytes.ts';
import { MiB } from '../../update/layout.ts';
import { describe, type Exec } from '../exec.ts';
import type { OpenDevice } from './block.ts';
import { LABEL_DATA, LABEL_MAKING } from './probe.ts';
import {
  backupPlaces,
  parseSuperblock,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  withLabel,
} from './superblock.ts';

/** Opens the partition for reading and writing. */
export type OpenForWriting = (device: string) => OpenDevice;

/** A journal of this size suits a device's small writes; mke2fs would take 64 MiB and more on a large disk. */
const JOURNAL_MIB = 16;
/** Below it mke2fs's own, smaller journal is right. */
const SMALL = 512 * MiB;

/**
 * Makes the file system, in two steps that a power cut may separate anywhere (P11):
 *
 * 1. mke2fs, with the label `hearth-making`. It first zeroes the place of the old superblock, then writes everything
 *    else, the backup superblocks included, flushes, and writes the primary superblock last. A cut leaves no
 *    superblock at all (blank), or only ones that say `hearth-making` (unfinished): both are formatted again.
 * 2. The label becomes `hearth-data`: in the backups that `probe` looks at, a flush, then in the primary. A cut leaves a
 *    primary with the old label: formatted again. Only after this step is it ever mounted, so nothing can be lost by
 *    that. A primary torn by the cut (its two sectors disagree, the checksum is wrong) is one that e2fsck or the
 *    kernel refuses, and `check` restores it from a backup, which by then says `hearth-data`.
 *
 * The journal is written out, not left for later (`lazy_journal_init`): on a disk that had a file system before, stale
 * journal blocks might be replayed after a cut. Inode tables are lazy; the kernel zeroes them in the background.
 * No discard: it takes minutes on some cards, and the first boot is waiting.
 *
 * @param size of the partition, bytes
 * @throws FwError `data-format` with what the program said
 */
export async function format(exec: Exec, open: OpenForWriting, device: string, size: number): Promise<void> {
  const journal = size < SMALL ? [] : ['-J', `size=${JOURNAL_MIB}`];
  const options = 'nodiscard,lazy_itable_init=1,lazy_journal_init=0';
  // When that file's inode is damaged, e2fsck (1.47.2) frees it and leaves its number in the superblock: the app's
  // directory gets the number, and the next check takes it for the orphan file and clears it.
  const features = '^orphan_file';
  // -F: the partition may hold the remains of something else. -m 1: for root, so that a full /data still has room
  // for repairs.
  const made = await exec('mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-O', features, '-L', LABEL_MAKING, '-m', '1', '-E', options],
    ...journal,
    device,
  ]);
  if (made.code !== 0) throw failed(device, describe('mke2fs', made));
  using partition = open(device);
  partition.writeSteps(finishingSteps(partition.read));
}

/** The writes of step 2. */
export function finishingSteps(read: ReadAt): WriteStep[] {
  const places = [...backupPlaces().map(({ offset }) => offset), SUPERBLOCK_OFFSET];
  return places.flatMap((offset) => {
    const bytes = read(offset, SUPERBLOCK_SIZE);
    if (parseSuperblock(bytes)?.label !== LABEL_MAKING) return [];
    return [{ offset, bytes: withLabel(bytes, LABEL_DATA), why: 'the file system is whole' }];
  });
}

function failed(device: string, what: string): FwError {
  return new FwError('data-format', `no file system could be made on ${device}: ${what}`, {
    where: device,
    remedy: 'The disk or card may be worn out or write-protected: try another one.',
  });
}
