import { chownSync, mkdirSync, statSync } from 'node:fs';

/**
 * Makes the app's own directory. Only the directory itself changes hands: walking what may be a million files would
 * hold up the boot.
 * @returns what went wrong (a full or read-only disk without the directory), or undefined
 */
export function makeAppDir(path: string, uid: number, gid: number): string | undefined {
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there?.isDirectory() && there.uid === uid && there.gid === gid) return undefined;
    mkdirSync(path, { recursive: true, mode: 0o750 });
    chownSync(path, uid, gid);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
