/** How often an app may be restarted before it is given up. */
export interface RestartLimits {
  /** More restarts than this within `restartWindowMs` are too many. */
  maxRestarts: number;
  restartWindowMs: number;
}

export type RestartDecision = { kind: 'restart'; delayMs: number } | { kind: 'give-up' };

/** The longest wait between two starts, milliseconds. */
const MAX_DELAY_MS = 8_000;
const FIRST_DELAY_MS = 1_000;

/**
 * What to do after the app ended by itself. The first restart is immediate, because most crashes are single ones;
 * then 1, 2, 4, 8 s, so that a crash loop leaves the processor to the update that fixes it (R5).
 *
 * @param ends when the app ended, milliseconds, oldest first, this time included
 */
export function decide(ends: readonly number[], now: number, limits: RestartLimits): RestartDecision {
  const recent = recentEnds(ends, now, limits).length;
  if (recent > limits.maxRestarts) return { kind: 'give-up' };
  return {
    kind: 'restart',
    delayMs: recent <= 1 ? 0 : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (recent - 2)),
  };
}

/** The ends that still count: what is older than the window is forgotten. */
export function recentEnds(ends: readonly number[], now: number, limits: RestartLimits): number[] {
  return ends.filter((at) => now - at < limits.restartWindowMs);
}
