import { once } from 'node:events';
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { folderOf, lastChange, nothingSeen, type Seen } from '../build/bundle/seen.ts';
import { FwError } from '../errors.ts';
import { CONFIG_FILE } from '../project/load.ts';

export interface Change {
  /** When the first of its files was written, by performance.now(). */
  at: number;
}

export interface Steps<Prepared> {
  /** Makes what is to run, and notes what of. */
  prepare(seen: Seen): Promise<Prepared>;
  /** @param change what led to it; undefined the first time */
  run(prepared: Prepared, change: Change | undefined): Promise<void>;
  /** The sources cannot be run as they are; what ran before goes on. */
  onBroken(error: FwError): void;
}

/** An editor writes a file in several steps; all of them are one change. */
const SETTLE_MS = 50;

/** What editors put beside a file while somebody writes. */
const EDITORS_OWN = /(~|#|\.sw[a-z])$/;

/**
 * Prepares and runs a project, and does so again whenever a file that it is made of has changed, until the signal comes.
 * @throws FwError of the first time; later that is for `onBroken`
 */
export async function onEachChange<Prepared>(
  dir: string,
  signal: AbortSignal,
  steps: Steps<Prepared>,
): Promise<void> {
  let known = new Set([join(dir, CONFIG_FILE)]);
  let change: Change | undefined;
  for (let first = true; !signal.aborted; first = false) {
    using changes = watchPaths(known, signal);
    const seen = nothingSeen();
    try {
      const prepared = await steps.prepare(seen).catch((error: unknown) => {
        // What mends it need not be a file that there is already.
        const places = new Map([...seen.files, ...seen.folders]);
        known = new Set([...known, ...places.keys()]);
        changes.also(places);
        throw error;
      });
      if (signal.aborted) break;
      known = new Set([join(dir, CONFIG_FILE), ...seen.files.keys()]);
      changes.also(seen.files);
      await steps.run(prepared, change);
    } catch (error) {
      if (first || !(error instanceof FwError)) throw error;
      steps.onBroken(error);
    }
    change = await changes.next;
  }
}

interface Changes extends Disposable {
  /** Fulfilled when one of the files has changed and is quiet again, or with undefined when the signal has come. */
  next: Promise<Change | undefined>;
  /** What has changed since these times has changed. */
  also(paths: ReadonlyMap<string, number>): void;
}

/**
 * Watches folders, not files: editors put a new file in the place of the old one.
 * @param paths of files; or of folders, of which every entry counts; where there is none any more, that of the folder above
 */
function watchPaths(paths: ReadonlySet<string>, signal: AbortSignal): Changes {
  const wanted = new Set<string>();
  const watchers = new Map<string, FSWatcher>();
  const { promise: next, resolve } = Promise.withResolvers<Change | undefined>();
  let settling: NodeJS.Timeout | undefined;
  let at: number | undefined;
  const changed = (): void => {
    at ??= performance.now();
    clearTimeout(settling);
    settling = setTimeout(resolve, SETTLE_MS, { at });
  };
  const add = (path: string): void => {
    wanted.add(path);
    const folder = folderOf(path);
    if (folder !== dirname(path)) wanted.add(folder);
    if (watchers.has(folder)) return;
    // By its own name a folder tells that it has been moved.
    const isWanted = (name: string): boolean =>
      wanted.has(join(folder, name)) ||
      (wanted.has(folder) && !EDITORS_OWN.test(name)) ||
      name === basename(folder);
    watchers.set(
      folder,
      watch(folder, (_, name) => {
        if (name === null || isWanted(name)) changed();
      }),
    );
  };
  for (const path of paths) add(path);
  void once(signal, 'abort').then(() => resolve(undefined));
  if (signal.aborted) resolve(undefined);
  return {
    next,
    also(more) {
      for (const [path, since] of more) {
        add(path);
        if (lastChange(path) !== since) changed();
      }
    },
    [Symbol.dispose]: () => {
      clearTimeout(settling);
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}
