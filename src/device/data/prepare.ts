import type { ReadAt } from '../../formats/bytes.ts';
import type { DataState } from '../../otp/device.ts';
import { describe, type Exec } from '../exec.ts';
import { check } from './check.ts';
import { format, type OpenForWriting } from './format.ts';
import { loadExt4, mountExt4, mountedOn, mountVolatile, parseMounts } from './mounts.ts';
import { type Content, probe } from './probe.ts';

export interface DataOptions {
  /** The partition's node; undefined when the disk has none. */
  device: string | undefined;
  /** `/data` */
  target: string;
  commitSeconds: number;
}

export interface DataEffects {
  exec: Exec;
  /** Opens the partition for reading, and says how large it is (bytes). Throws when it cannot. */
  open(device: string): { read: ReadAt; size: number } & Disposable;
  openForWriting: OpenForWriting;
  /** Gives the partition the room behind it, before it is formatted. Its new size in bytes. */
  growPartition(): Promise<number>;
  /** /proc/mounts. */
  mounts(): string;
  /** /proc/filesystems. */
  filesystems(): string;
  say(message: string): void;
  /** Making or repairing begins: what does not need /data should not wait for it. */
  onSlow(): void;
}

/**
 * Mounts /data, whatever state it is in: made on the first boot, checked after anything but an orderly shutdown, repaired
 * when damaged. Never fails: where the disk has no usable place for the app's files they go to memory, and the
 * device comes up and says so (R1).
 */
export async function prepareData(options: DataOptions, effects: DataEffects): Promise<DataState> {
  const { device, target } = options;
  const there = mountedOn(target, parseMounts(effects.mounts()));
  // hearthd was restarted; the mount outlived it.
  if (there) return stateOf(there.type, there.options);
  if (device === undefined) return volatile('this disk has no data partition', target, effects);
  try {
    const checked = await makeUsable(device, effects);
    return await mount(device, checked, options, effects);
  } catch (error) {
    return volatile(error instanceof Error ? error.message : String(error), target, effects);
  }
}

function stateOf(type: string, options: readonly string[]): DataState {
  if (type === 'tmpfs') return 'volatile';
  return options.includes('ro') ? 'read-only' : 'persistent';
}

/** @returns whether e2fsck has seen the file system */
async function makeUsable(device: string, effects: DataEffects): Promise<boolean> {
  const { content, size } = look(device, effects);
  if (content.kind !== 'filesystem' || !content.superblock.clean) effects.onSlow();
  switch (content.kind) {
    case 'blank':
    case 'unfinished':
      effects.say(
        content.kind === 'blank' ? 'making /data' : 'making /data again: a power cut ended the first try',
      );
      await format(effects.exec, effects.openForWriting, device, await grownSize(size, effects));
      return true;
    case 'damaged':
      effects.say('/data is damaged: its first superblock is gone; repairing from a copy');
      await repair(device, effects, content.backup);
      return true;
    case 'filesystem':
      if (content.superblock.clean) return false;
      await repair(device, effects);
      return true;
  }
}

function look(device: string, effects: DataEffects): { content: Content; size: number } {
  using partition = effects.open(device);
  return { content: probe(partition.read), size: partition.size };
}

/** A partition that does not grow is still one to format. */
async function grownSize(size: number, effects: DataEffects): Promise<number> {
  try {
    return await effects.growPartition();
  } catch (error) {
    effects.say(error instanceof Error ? error.message : String(error));
    return size;
  }
}

async function repair(
  device: string,
  effects: DataEffects,
  backup?: { block: number; blockSize: number },
): Promise<void> {
  const outcome = await check(effects.exec, device, backup, () =>
    effects.say('/data has errors: repairing them'),
  );
  if (outcome.kind === 'repaired') effects.say(`/data was repaired: ${outcome.words}`);
}

async function mount(
  device: string,
  checked: boolean,
  options: DataOptions,
  effects: DataEffects,
): Promise<DataState> {
  const request = { device, target: options.target, commitSeconds: options.commitSeconds };
  await loadExt4(effects.exec, effects.filesystems);
  let problem = await mountExt4(effects.exec, { ...request, readOnly: false });
  if (problem === undefined) return 'persistent';
  if (!checked) {
    // The superblock said clean, and something behind it is not.
    await repair(device, effects);
    problem = await mountExt4(effects.exec, { ...request, readOnly: false });
    if (problem === undefined) return 'persistent';
  }
  // A card with its lock on: what is there can still be read.
  if ((await mountExt4(effects.exec, { ...request, readOnly: true })) === undefined) {
    effects.say(`/data is read-only: ${problem}`);
    return 'read-only';
  }
  throw new Error(problem);
}

async function volatile(why: string, target: string, effects: DataEffects): Promise<DataState> {
  effects.say(`/data is in memory and will be gone at the next boot: ${why}`);
  const problem = await mountVolatile(effects.exec, target);
  if (problem !== undefined) effects.say(`/data cannot be mounted at all: ${problem}`);
  return 'volatile';
}

/** Unmounts /data on the way down. What still holds it is killed by heart afterwards, so busy is not an error. */
export async function releaseData(exec: Exec, target: string, say: (message: string) => void): Promise<void> {
  const result = await exec('umount', [target]);
  if (result.code === 0) return;
  say(`/data is still in use; making it read-only (${describe('umount', result)})`);
  await exec('mount', ['-o', 'remount,ro', target]);
}
