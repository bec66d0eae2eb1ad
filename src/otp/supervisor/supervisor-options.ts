import type { ChildSpec } from './child-spec.ts';
import { SupervisorError } from './errors.ts';
import type { SupervisingOptions } from './supervising-process.ts';

export interface SupervisorOptions extends SupervisingOptions {
  /**
   * What is restarted with a child that has ended: nothing else (`one_for_one`, the default), all others
   * (`one_for_all`), or those that were started after it (`rest_for_one`).
   */
  strategy?: 'one_for_one' | 'one_for_all' | 'rest_for_one' | undefined;
  /** Started in this order, stopped in the reverse. */
  children: readonly ChildSpec[];
  /** Whether it ends, with 'shutdown', when a significant child or the last of them has ended by itself. */
  autoShutdown?: 'never' | 'any_significant' | 'all_significant' | undefined;
}

/** @throws SupervisorError 'bad-spec' */
export function checkSupervisor(options: SupervisorOptions): void {
  const { children, maxRestarts = 0, maxSeconds = 1, backoff } = options;
  if (!(maxRestarts >= 0)) throw bad(`maxRestarts is ${maxRestarts}, not a number from 0`);
  if (!(maxSeconds > 0)) throw bad(`maxSeconds is ${maxSeconds}, not a number above 0`);
  if (backoff && !(backoff.minMs > 0 && backoff.maxMs >= backoff.minMs && (backoff.factor ?? 2) >= 1))
    throw bad(`backoff wants 0 < minMs <= maxMs and factor >= 1, and got ${JSON.stringify(backoff)}`);
  const ids = new Set<string>();
  for (const spec of children) {
    if (ids.has(spec.id)) throw bad(`two children have the id '${spec.id}': give one of them another`);
    ids.add(spec.id);
    checkChild(spec, options);
  }
}

/** @throws SupervisorError 'bad-spec' */
export function checkChild(
  spec: ChildSpec,
  { autoShutdown = 'never' }: Pick<SupervisorOptions, 'autoShutdown'>,
): void {
  const { id, shutdown, significant, restart } = spec;
  if (typeof shutdown === 'number' && !(shutdown >= 0))
    throw bad(`the child '${id}' has a shutdown of ${shutdown}, which is no number of milliseconds`);
  if (!significant) return;
  if (restart === 'permanent') throw bad(`the child '${id}' is permanent, and cannot be significant`);
  if (autoShutdown === 'never')
    throw bad(`the child '${id}' is significant, which means nothing where autoShutdown is 'never'`);
}

function bad(message: string): SupervisorError {
  return new SupervisorError('bad-spec', message);
}
