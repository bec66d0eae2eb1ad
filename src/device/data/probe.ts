import type { ReadAt } from '../../formats/bytes.ts';
import {
  backupPlaces,
  parseSuperblock,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  type Superblock,
} from './superblock.ts';

/** The label while a file system is being made, and the one it gets when that has ended. See format.ts. */
export const LABEL_MAKING = 'hearth-making';
export const LABEL_DATA = 'hearth-data';

/** What is on the data partition. */
export type Content =
  /** No trace of a file system: the first boot. */
  | { kind: 'blank' }
  /** A format that a power cut has ended. Nothing was ever stored in it. */
  | { kind: 'unfinished' }
  | { kind: 'filesystem'; superblock: Superblock }
  /** The first superblock is gone and a copy of it is not: what it describes may still be there. */
  | { kind: 'damaged'; backup: { block: number; blockSize: number } };

/**
 * Tells a partition that was never formatted from one that was and is damaged: the first may be formatted, the second
 * never. A read error is neither, and passes through as an exception: formatting because a card answered badly once
 * would destroy what is on it.
 */
export function probe(read: ReadAt): Content {
  const first = parseSuperblock(read(SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE));
  if (first)
    return first.label === LABEL_MAKING ? { kind: 'unfinished' } : { kind: 'filesystem', superblock: first };
  for (const { offset, block, blockSize } of backupPlaces()) {
    const copy = parseSuperblock(read(offset, SUPERBLOCK_SIZE));
    if (copy?.blockSize !== blockSize) continue;
    return copy.label === LABEL_MAKING
      ? { kind: 'unfinished' }
      : { kind: 'damaged', backup: { block, blockSize } };
  }
  return { kind: 'blank' };
}
