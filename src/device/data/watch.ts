import { readFileSync, statfsSync } from 'node:fs';
import { mountedOn, parseMounts } from './mounts.ts';

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

/** Looks now and every minute, and says when /data becomes full or read-only (R1). Returns how to end it. */
export function watchData(
  target: string,
  say: (message: string) => void,
  readOnlyFromTheStart: boolean,
): () => void {
  let state = { readOnly: readOnlyFromTheStart, full: false };
  const look = (): void => {
    const condition = conditionOf(target);
    if (!condition) return;
    const { words, ...next } = judge(state, condition);
    state = next;
    for (const each of words) say(each);
  };
  look();
  const timer = setInterval(look, EVERY_MS);
  return () => clearInterval(timer);
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
