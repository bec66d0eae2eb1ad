import { FwError } from '../../errors.ts';
import { describe, type Exec, type Result } from '../exec.ts';

/** Exit status of e2fsck, a sum of these (e2fsck(8), "EXIT CODE"). */
const CORRECTED = 1;
/** "System should be rebooted": of meaning for a mounted root only. */
const REBOOT = 2;

const MAX_RUNS = 3;

export type CheckOutcome =
  /** Nothing was wrong, or only the journal had to be replayed. */
  | { kind: 'clean' }
  /** Errors were found and mended; things may have been lost. */
  | { kind: 'repaired'; words: string };

/**
 * Checks and repairs the file system, which is not mounted. First with `-p`, which replays the journal and mends what
 * cannot lose anything; where that is not enough, `-y`, because nobody is there to be asked.
 *
 * A power cut at any point leaves a file system that is still marked as not clean (e2fsck sets that mark last), so the
 * next boot starts over; each repair is one that e2fsck would find again, or find done.
 *
 * @param backup the superblock to work from when the first one is gone
 * @param onErrors called before the thorough repair, which takes minutes on a large disk
 * @throws FwError `data-damaged` when e2fsck could not repair it
 */
export async function check(
  exec: Exec,
  device: string,
  backup?: { block: number; blockSize: number },
  onErrors: () => void = () => {},
): Promise<CheckOutcome> {
  if (!backup) {
    const preen = await exec('e2fsck', ['-p', device]);
    if (preen.code === 0) return { kind: 'clean' };
    if (succeeded(preen)) return { kind: 'repaired', words: lastWords(preen) };
    // Without the program, or killed: a second try would end the same way.
    if (preen.code === undefined) throw damaged(device, describe('e2fsck -p', preen));
    onErrors();
  }
  const from = backup ? ['-b', String(backup.block), '-B', String(backup.blockSize)] : [];
  let full = await exec('e2fsck', ['-f', '-y', ...from, device]);
  // Again, until nothing is found: one run may leave what only the next one sees. And growing while mounted leaves backup
  // superblocks that ask for the journal: from one of those e2fsck replays it, makes the first superblock good,
  // reads the backup again and gives up ("unable to set superblock flags").
  for (let runs = 1; full.code !== undefined && full.code !== 0 && runs < MAX_RUNS; runs++) {
    full = await exec('e2fsck', ['-f', '-y', device]);
  }
  if (succeeded(full)) return { kind: 'repaired', words: lastWords(full) };
  throw damaged(device, describe('e2fsck -y', full));
}

function succeeded({ code }: Result): boolean {
  return code !== undefined && (code & ~(CORRECTED | REBOOT)) === 0;
}

function lastWords(result: Result): string {
  return result.stdout.trim().split('\n').at(-1)?.trim() ?? '';
}

function damaged(device: string, what: string): FwError {
  return new FwError('data-damaged', `the file system on ${device} cannot be repaired: ${what}`, {
    where: device,
    expected: 'an ext4 file system that e2fsck can repair',
    remedy: `Save what you can from ${device} in a shell, then erase it: dd if=/dev/zero of=${device} bs=1M; reboot`,
  });
}
