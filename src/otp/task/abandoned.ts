import type { Process } from '../process/process.ts';

/**
 * Processes that have ended while their function still runs. Weakly: of one that waits for what never comes, nothing is
 * left to run, and it must not be kept.
 */
const abandoned = new Set<WeakRef<Process>>();
const collected = new FinalizationRegistry<WeakRef<Process>>((ref) => abandoned.delete(ref));

/** Returns what is to be called when its function is done after all. */
export function abandon(process: Process): () => void {
  const ref = new WeakRef(process);
  abandoned.add(ref);
  collected.register(process, ref, ref);
  return () => {
    abandoned.delete(ref);
    collected.unregister(ref);
  };
}

export function abandonedProcesses(): Process[] {
  return [...abandoned].flatMap((ref) => ref.deref() ?? []);
}
