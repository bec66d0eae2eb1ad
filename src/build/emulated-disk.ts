import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { identifySigner, type KeyIdentity } from '../archive/identity.ts';
import { openFirmware } from '../archive/index.ts';
import { claim } from './claim.ts';
import { writeImage } from './image.ts';
import type { OnProgress } from './progress.ts';
import type { Target } from './target.ts';
import { loadTarget } from './targets.ts';
import { writeWhole } from './whole-file.ts';

/** A disk that `fw run` boots from: kept from run to run, with its /data, as a device's disk would be. */
export interface EmulatedDisk extends Disposable {
  path: string;
  /** Folder of the disk and of what else the machine keeps. */
  folder: string;
  target: Target;
  /** Who signed its firmware: that somebody did was checked, not who. */
  signer: Pick<KeyIdentity, 'fingerprint' | 'comment'>;
  /** What was done to it now: made, its firmware exchanged, or nothing. */
  state: 'made' | 'flashed' | 'kept';
}

/** QEMU wants a power of two for an SD card; the file is sparse. */
const DISK_SIZE = 4 * 1024 ** 3;

export interface DiskOptions {
  /** Start with an empty disk. */
  fresh?: boolean;
  onProgress?: OnProgress;
}

/**
 * The disk for a firmware in a folder, one per product and target. Another firmware than last time is flashed onto
 * it and leaves /data alone. Until it is disposed of it is this process's alone, from before it is flashed: a disk that
 * changes under a machine that runs is a broken one.
 * @throws FwError `already-running`
 */
export async function emulatedDisk(
  firmware: string,
  folder: string,
  options: DiskOptions = {},
): Promise<EmulatedDisk> {
  const fw = await openFirmware(firmware, { trust: 'self' });
  const { product, target: targetName, uuid } = fw.manifest;
  const { fingerprint, comment } = identifySigner(fw);
  await fw.close();
  const { target } = await loadTarget(targetName);
  const own = join(folder, `${product}-${targetName}`);
  const owner = await claim(own, `the emulated machine of ${product} for ${targetName}`);
  try {
    const { path, state } = await prepareDisk(firmware, own, uuid, options);
    return {
      path,
      folder: own,
      target,
      signer: { fingerprint, comment },
      state,
      [Symbol.dispose]: owner.release,
    };
  } catch (error) {
    owner.release();
    throw error;
  }
}

async function prepareDisk(
  firmware: string,
  own: string,
  uuid: string,
  { fresh = false, onProgress = () => {} }: DiskOptions,
): Promise<{ path: string; state: EmulatedDisk['state'] }> {
  if (fresh) await rm(own, { recursive: true, force: true });
  const path = join(own, 'disk.img');
  const marker = join(own, 'flashed');
  const present = await stat(path).then(
    ({ size }) => size === DISK_SIZE,
    () => false,
  );
  const flashed = await readFile(marker, 'utf8').catch(() => '');
  if (present && flashed === uuid) return { path, state: 'kept' };
  // The marker goes first: a flash that is interrupted is done again.
  await rm(marker, { force: true });
  await writeImage(firmware, path, { size: DISK_SIZE, keepData: present, onProgress });
  await writeWhole(marker, [Buffer.from(uuid)]);
  return { path, state: present ? 'flashed' : 'made' };
}
