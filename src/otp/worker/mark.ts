import { isMainThread, workerData } from 'node:worker_threads';

/** What a thread of a server is told at its start, under this key of its `workerData`. */
export const MARK = 'hearth.worker';

export interface WorkerStart {
  /** Of the class. */
  name: string;
  args: readonly unknown[];
}

/** What this thread is to run, if it was started for a server. */
export function workerStart(): WorkerStart | undefined {
  if (isMainThread || typeof workerData !== 'object' || workerData === null) return undefined;
  return (workerData as { [MARK]?: WorkerStart })[MARK];
}
