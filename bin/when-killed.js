// What SIGINT, SIGTERM and SIGHUP must not leave behind: temporary files, and programs that would go on without us.
// Plain JavaScript, because the door needs it before there is a Node that strips types.

export const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const SEEN_TWICE_MS = 1000;
const cleanups = new Set();
let state = 'idle';

/**
 * Has `cleanup` run, and waited for, before one of these signals ends the process. Returns what takes that back.
 *
 * Once it listens it listens for good: a signal that comes between the event loop's last look and the end of listening
 * would reach nobody, and the process would go on. Without cleanups a signal does what it always did.
 */
export function whenKilled(cleanup) {
  cleanups.add(cleanup);
  if (state === 'idle') {
    for (const signal of SIGNALS) process.on(signal, end);
    state = 'listening';
  }
  return () => {
    cleanups.delete(cleanup);
  };
}

async function end(signal) {
  state = 'ending';
  const began = performance.now();
  // A second signal ends the process at once; but a terminal sends Ctrl-C to the door and to us, and the door passes its
  // own on: that is the first one, seen again.
  const again = (another) => {
    if (performance.now() - began < SEEN_TWICE_MS) return;
    process.removeListener(another, again);
    process.kill(process.pid, another);
  };
  // The one before the other goes: without a listener, be it for a microsecond, a signal ends the process on the spot.
  for (const each of SIGNALS) process.on(each, again);
  for (const each of SIGNALS) process.removeListener(each, end);
  // A Set also visits what is added while it is walked: nothing that begins meanwhile is forgotten.
  for (const cleanup of cleanups) {
    try {
      await cleanup();
    } catch (error) {
      process.stderr.write(`${signal}: not everything could be removed: ${error.message}\n`);
    }
  }
  cleanups.clear();
  for (const each of SIGNALS) process.removeListener(each, again);
  state = 'idle';
  // The signal now does what it would have done; a listener of somebody else's has been told already.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
}
