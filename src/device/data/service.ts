import { readFileSync } from 'node:fs';
import type { DataState } from '../../otp/device.ts';
import type { BootInfo } from '../boot-info.ts';
import type { Exec } from '../exec.ts';
import type { DeviceIdentity } from '../identity.ts';
import { APP_USER, PATHS } from '../paths.ts';
import { makeAppDir } from './app-dir.ts';
import { blockInfo, openDevice } from './block.ts';
import { canGrow, type GrowTarget, growFilesystem, growPartition } from './grow.ts';
import { mountVolatile } from './mounts.ts';
import { prepareData, releaseData } from './prepare.ts';
import { resetIfAsked } from './reset.ts';
import { parseSuperblock, SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE } from './superblock.ts';

/** A file system this much smaller than its partition is as large as it can be: it ends on a whole group. */
const WHOLE = 16 * 1024 * 1024;

export interface DataService {
  /** Mounts /data and makes the app's directory. Never fails. */
  prepare(): Promise<DataState>;
  /** Fulfilled when the first program runs that does a part of it, or when it is done without any. */
  underWay: Promise<void>;
  /** Takes the room that the disk has gained. For when the device is up: the app does not wait for it. */
  grow(): Promise<void>;
  release(): Promise<void>;
}

export function createDataService(
  boot: Pick<BootInfo, 'disk' | 'data' | 'table'>,
  commitSeconds: number,
  effects: { exec: Exec; identity: DeviceIdentity; say(message: string): void; onSlow(): void },
): DataService {
  const { say } = effects;
  const underWay = Promise.withResolvers<void>();
  const exec: Exec = (...what) => {
    const result = effects.exec(...what);
    underWay.resolve();
    return result;
  };
  const target = (device: string): GrowTarget => ({
    disk: boot.disk,
    diskSize: blockInfo(boot.disk).size,
    table: boot.table,
    partition: blockInfo(device),
  });

  async function growDevice(device: string): Promise<number> {
    const where = target(device);
    if (!canGrow(where)) return where.partition.size;
    using disk = openDevice(boot.disk, 'write');
    const size = await growPartition(exec, PATHS.heart, disk, where);
    if (size > where.partition.size) say(`/data: its partition grew to ${Math.floor(size / 2 ** 20)} MiB`);
    return size;
  }

  async function prepare(): Promise<DataState> {
    await resetIfAsked(effects.identity, {
      device: boot.data,
      openForWriting: (device) => openDevice(device, 'write'),
      sizeOf: (device) => blockInfo(device).size,
      mounts: () => readFileSync('/proc/mounts', 'utf8'),
      say,
    });
    const options = { device: boot.data, target: PATHS.data, commitSeconds };
    const state = await prepareData(options, {
      exec,
      open: (device) => {
        const open = openDevice(device, 'read');
        return { ...open, size: blockInfo(device).size };
      },
      openForWriting: (device) => openDevice(device, 'write'),
      growPartition: () => (boot.data === undefined ? Promise.resolve(0) : growDevice(boot.data)),
      mounts: () => readFileSync('/proc/mounts', 'utf8'),
      filesystems: () => readFileSync('/proc/filesystems', 'utf8'),
      say,
      onSlow: effects.onSlow,
    });
    const problem = makeAppDir(PATHS.appData, APP_USER.uid, APP_USER.gid);
    if (problem === undefined) return state;
    say(`${PATHS.appData} cannot be made, so the app's files are in memory: ${problem}`);
    const failure = await mountVolatile(exec, PATHS.data);
    if (failure !== undefined) say(failure);
    makeAppDir(PATHS.appData, APP_USER.uid, APP_USER.gid);
    return 'volatile';
  }

  return {
    underWay: underWay.promise,

    prepare: () => prepare().finally(underWay.resolve),

    async grow() {
      if (boot.data === undefined) return;
      try {
        const size = await growDevice(boot.data);
        if (size - filesystemSize(boot.data) > WHOLE) {
          await growFilesystem(exec, boot.data);
          say('/data has grown with the disk');
        }
      } catch (error) {
        say(error instanceof Error ? error.message : String(error));
      }
    },

    release: () => releaseData(exec, PATHS.data, say),
  };
}

function filesystemSize(device: string): number {
  using partition = openDevice(device, 'read');
  const superblock = parseSuperblock(partition.read(SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE));
  return superblock?.size ?? Number.POSITIVE_INFINITY;
}
