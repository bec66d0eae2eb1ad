import type { Process } from '../process/process.ts';
import type { ExitReason } from '../process/reason.ts';
import { unlink } from '../process/signals.ts';
import type { Shutdown } from './child-spec.ts';

/**
 * Stops a child, and gives a promise of the reason it ended with only where that takes time. Its end is no news for the
 * supervisor, so the link goes first. The deadline holds even if the supervisor is killed meanwhile.
 */
export function shutDown(
  child: Process,
  supervisor: Process,
  shutdown: Shutdown,
): ExitReason | Promise<ExitReason> {
  unlink(child, supervisor);
  if (shutdown === 'brutal') child.kill('killed');
  else child.exit('shutdown');
  if (!child.alive) return child.reason ?? 'normal';
  return new Promise((resolve) => {
    const timer = typeof shutdown === 'number' ? setTimeout(() => child.kill('killed'), shutdown) : undefined;
    child.watchedBy({
      down(_, reason) {
        clearTimeout(timer);
        resolve(reason);
      },
    });
  });
}

/** `next` now, or when a promise is fulfilled: what needs no time starts and stops without a promise. */
export function after<A, B>(value: A | Promise<A>, next: (value: A) => B | Promise<B>): B | Promise<B> {
  return value instanceof Promise ? value.then(next) : next(value);
}
