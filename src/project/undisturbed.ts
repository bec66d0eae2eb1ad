import { SIGNALS } from '../../bin/when-killed.js';

/** Does a few milliseconds of work that must not be left half done: a signal that comes meanwhile is too late. */
export function undisturbed<T>(work: () => T): T {
  const tooLate = (): void => {};
  for (const signal of SIGNALS) process.on(signal, tooLate);
  try {
    return work();
  } finally {
    for (const signal of SIGNALS) process.removeListener(signal, tooLate);
  }
}
