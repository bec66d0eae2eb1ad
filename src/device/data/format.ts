import { FwError } from '../../errors.ts';
import { describe, type Exec } from '../exec.ts';
import { LABEL_DATA, LABEL_MAKING } from './probe.ts';

const MiB = 1024 * 1024;
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
 * 2. The label becomes `hearth-data`. tune2fs rewrites the backups, flushes, then the primary. A cut leaves a primary
 *    with the old label: formatted again. Only after this step is it ever mounted, so nothing can be lost by that.
 *
 * The journal is written out, not left for later (`lazy_journal_init`): on a disk that had a file system before, stale
 * journal blocks might be replayed after a cut. Inode tables are lazy; the kernel zeroes them in the background.
 * No discard: it takes minutes on some cards, and the first boot is waiting.
 *
 * @param size of the partition, bytes
 * @throws FwError `data-format` with what the program said
 */
export async function format(exec: Exec, device: string, size: number): Promise<void> {
  const journal = size < SMALL ? [] : ['-J', `size=${JOURNAL_MIB}`];
  const options = 'nodiscard,lazy_itable_init=1,lazy_journal_init=0';
  // -F: the partition may hold the remains of something else. -m 1: for root, so that a full /data still has room
  // for repairs.
  const made = await exec('mke2fs', [
    ...['-q', '-F', '-t', 'ext4', '-L', LABEL_MAKING, '-m', '1', '-E', options],
    ...journal,
    device,
  ]);
  if (made.code !== 0) throw failed(device, describe('mke2fs', made));
  const named = await exec('tune2fs', ['-L', LABEL_DATA, device]);
  if (named.code !== 0) throw failed(device, describe('tune2fs', named));
}

function failed(device: string, what: string): FwError {
  return new FwError('data-format', `no file system could be made on ${device}: ${what}`, {
    where: device,
    remedy: 'The disk or card may be worn out or write-protected: try another one.',
  });
}
