import { once } from 'node:events';
import { type FSWatcher, watch } from 'node:fs';
import { dirname, join } from 'node:path';
import { FwError } from '../errors.ts';
import { CONFIG_FILE } from '../project/load.ts';

export interface Change {
  /** When the first of its files was written, by performance.now(). */
  at: number;
}

export interface Steps<Prepared extends { inputs: string[] }> {
  /** Makes what is to run; `inputs` are the files that it is made of. */
  prepare(): Promise<Prepared>;
  /** @param change what led to it; undefined the first time */
  run(prepared: Prepared, change: Change | undefined): Promise<void>;
  /** The sources cannot be run as they are; what ran before goes on. */
  onBroken(error: FwError): void;
}

/** An editor writes a file in several steps; all of them are one change. */
const SETTLE_MS = 50;

/**
 * Prepares and runs a project, and does so again whenever a file that it is made of has changed, until the signal comes.
 * @throws FwError of the first time; later that is for `onBroken`
 */
export async function onEachChange<Prepared extends { inputs: string[] }>(
  dir: string,
  signal: AbortSignal,
  steps: Steps<Prepared>,
): Promise<void> {
  let inputs: string[] = [];
  let change: Change | undefined;
  for (let first = true; !signal.aborted; first = false) {
    using changes = watchFiles([join(dir, CONFIG_FILE), ...inputs], signal);
    try {
      const prepared = await steps.prepare();
      if (signal.aborted) break;
      if (inputs.join() !== prepared.inputs.join()) {
        inputs = prepared.inputs;
        // What it is made of is known only now; a change in the meantime is one of the next round's.
        changes.also(inputs);
      }
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
  also(files: readonly string[]): void;
}

/** Watches folders, not files: editors put a new file in the place of the old one. */
function watchFiles(files: readonly string[], signal: AbortSignal): Changes {
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
  const also = (more: readonly string[]): void => {
    for (const file of more) {
      wanted.add(file);
      const folder = dirname(file);
      if (watchers.has(folder)) continue;
      watchers.set(
        folder,
        watch(folder, (_, name) => {
          if (name === null || wanted.has(join(folder, name))) changed();
        }),
      );
    }
  };
  also(files);
  void once(signal, 'abort').then(() => resolve(undefined));
  if (signal.aborted) resolve(undefined);
  return {
    next,
    also,
    [Symbol.dispose]: () => {
      clearTimeout(settling);
      for (const watcher of watchers.values()) watcher.close();
    },
  };
}
