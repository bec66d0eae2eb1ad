import type { WriteStep } from '../../formats/bytes.ts';
import type { DeviceIdentity } from '../identity.ts';
import type { OpenDevice } from './block.ts';
import { parseMounts } from './mounts.ts';
import { backupPlaces, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE } from './superblock.ts';

export interface ResetEffects {
  /** The partition; undefined where there is none. */
  device: string | undefined;
  openForWriting(device: string): OpenDevice;
  sizeOf(device: string): number;
  /** `/proc/mounts` */
  mounts(): string;
  say(message: string): void;
}

/**
 * A factory reset is asked for in the identity's place on the disk, and done here, before /data is mounted: at that time nothing can
 * hold it, neither the app nor somebody who fetches files by sftp. A power cut before the end leaves the request, and the next
 * boot does it again.
 */
export async function resetIfAsked(identity: DeviceIdentity, effects: ResetEffects): Promise<void> {
  const { device, say } = effects;
  try {
    if (!(await identity.read()).forgetData) return;
    // hearthd alone was started anew: the boot that it was asked for is still to come.
    if (device !== undefined && parseMounts(effects.mounts()).some(({ source }) => source === device)) return;
    if (device !== undefined) {
      using partition = effects.openForWriting(device);
      partition.writeSteps(forgettingSteps(effects.sizeOf(device)));
    }
    await identity.change(({ forgetData: _, ...rest }) => rest);
    say('/data has been forgotten');
  } catch (error) {
    say(`/data could not be forgotten: ${(error as Error).message}`);
  }
}

export async function askForReset(identity: DeviceIdentity): Promise<void> {
  await identity.change((before) => (before.forgetData ? before : { ...before, forgetData: true }));
}

/**
 * Without a superblock, and without the copies that a repair would start from, there is no file system (data/prepare.ts). The first
 * one goes last: a cut before that leaves all of it.
 */
export function forgettingSteps(size: number): WriteStep[] {
  const offsets = [...backupPlaces().map((place) => place.offset), SUPERBLOCK_OFFSET];
  return offsets
    .filter((offset) => offset + SUPERBLOCK_SIZE <= size)
    .map((offset) => ({ offset, bytes: new Uint8Array(SUPERBLOCK_SIZE), why: 'forgetting /data' }));
}
