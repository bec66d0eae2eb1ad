import { type Address, logger } from 'hearthfw';
import type { Log } from './log.ts';

/** Has a log closed when its process ends. `terminate()` is not enough: a process that is killed has none. */
export function closeWith(owner: Address, log: Log): void {
  const close = (): void => {
    log.close().catch((error: unknown) => logger.warning('a log was not closed', { error }));
  };
  // Killed while it was being opened.
  if (!owner.alive) close();
  else owner.process().owns({ released: close });
}
