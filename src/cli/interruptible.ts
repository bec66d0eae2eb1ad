import { whenKilled } from '../../bin/when-killed.js';

/**
 * Work that a signal stops in order instead of cutting it off: SIGINT, SIGTERM and SIGHUP abort, the work unwinds, and only
 * then the signal ends the process, so that a shell sees by what it ended.
 */
export async function interruptible<T>(work: (killed: AbortSignal) => Promise<T>): Promise<T> {
  const killed = new AbortController();
  const unwound = Promise.withResolvers<void>();
  const forget = whenKilled(() => {
    killed.abort();
    return unwound.promise;
  });
  try {
    return await work(killed.signal);
  } finally {
    forget();
    unwound.resolve();
    // What became of the work is no news any more: nothing after it shall be said or begun.
    if (killed.signal.aborted) await new Promise<never>(() => {});
  }
}
