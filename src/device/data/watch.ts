import { readFileSync, statfsSync } from 'node:fs';
import type { DataState } from '../../otp/device.ts';
import { Server, type ServerRef, Task } from '../../otp/index.ts';
import { mountedOn, parseMounts } from './mounts.ts';
import { dataMounted } from './server.ts';

/** Below this share of free space /data counts as full; above the second one again as not full. */
const FULL_BELOW = 0.01;
const ROOM_ABOVE = 0.03;
const EVERY_MS = 60_000;

/** How /data is while the device runs. */
export interface DataCondition {
  readOnly: boolean;
  /** Of what the app may use, 0 to 1. */
  freeShare: number;
}

/** What a person should hear about the change from `before` to `now`, and what to compare with the next time. */
export function judge(
  before: { readOnly: boolean; full: boolean },
  now: DataCondition,
): typeof before & { words: string[] } {
  const full = before.full ? now.freeShare < ROOM_ABOVE : now.freeShare < FULL_BELOW;
  const words: string[] = [];
  if (full && !before.full) words.push('/data is full: the app can store nothing more');
  if (!full && before.full) words.push('/data has room again');
  if (now.readOnly && !before.readOnly) {
    words.push(
      '/data has become read-only, because the file system has errors; a reboot checks and repairs it',
    );
  }
  return { readOnly: now.readOnly, full, words };
}

export interface DataWatchOptions {
  /** `/data` */
  target: string;
  say(message: string): void;
}

/** Looks as soon as /data is there and then every minute, and says when it becomes full or read-only (R1). */
export class DataWatch extends Server {
  #state = { readOnly: false, full: false };
  #look = (): void => {};

  override init({ target, say }: DataWatchOptions): void {
    this.#look = () => {
      const condition = conditionOf(target);
      if (!condition) return;
      const { words, ...next } = judge(this.#state, condition);
      this.#state = next;
      for (const each of words) say(each);
    };
    const me: ServerRef<DataWatch> = this.self;
    Task.async(async function dataWatch() {
      me.cast('begin', await dataMounted());
    });
  }

  begin(state: DataState): void {
    this.#state.readOnly = state === 'read-only';
    this.info();
  }

  override info(): void {
    this.#look();
    this.sendAfter(EVERY_MS, 'look');
  }
}

function conditionOf(target: string): DataCondition | undefined {
  try {
    const mount = mountedOn(target, parseMounts(readFileSync('/proc/mounts', 'utf8')));
    if (!mount) return undefined;
    const { bavail, blocks } = statfsSync(target);
    return { readOnly: mount.options.includes('ro'), freeShare: blocks === 0 ? 1 : bavail / blocks };
  } catch {
    // The disk is gone altogether: everything that uses it says so itself.
    return undefined;
  }
}
