import { thrownReason } from '../process/reason.ts';
import { isThenable } from '../process/thenable.ts';
import type { Metadata } from './events.ts';
import { anyoneListens, execute, listening } from './telemetry.ts';

/** Adds to what the end of a span tells. */
export type AddMetadata = (metadata: Metadata) => void;

/**
 * Executes `EVENT.start`, does some work, and executes `EVENT.stop`, or `EVENT.exception` when it throws or rejects, with
 * `durationMs` by the clock that never jumps. It gives, or throws, what the work does; a promise ends the span when it
 * settles. The work may add to the metadata of the end.
 */
export function span<R>(event: string, metadata: Metadata, work: (add: AddMetadata) => R): R {
  if (!anyoneListens()) return work(() => {});
  const [start, stop, exception] = [`${event}.start`, `${event}.stop`, `${event}.exception`];
  if (![start, stop, exception].some(listening)) return work(() => {});
  let known = metadata;
  const begin = performance.now();
  const done = (): void => execute(stop, { durationMs: performance.now() - begin }, known);
  const failed = (thrown: unknown): void =>
    execute(exception, { durationMs: performance.now() - begin }, { ...known, error: thrownReason(thrown) });
  execute(start, { atMs: Date.now() }, metadata);
  let result: R;
  try {
    result = work((more) => {
      known = { ...known, ...more };
    });
  } catch (thrown) {
    failed(thrown);
    throw thrown;
  }
  if (!isThenable(result)) {
    done();
    return result;
  }
  return result.then(
    (value) => {
      done();
      return value;
    },
    (thrown: unknown) => {
      failed(thrown);
      throw thrown;
    },
  ) as R;
}
