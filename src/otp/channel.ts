/**
 * What hearthd and the app say to each other over Node's IPC channel. Both ends validate what they receive with
 * the guards below: an app may send anything with `process.send`, and hearthd must not trip over it.
 */

/** From the app to hearthd. */
export type AppMessage =
  /** `run()` was called; from now on the app beats. */
  | { type: 'started' }
  /** The event loop turned. Sent every fifth of `HEARTH_BEAT_MS`. */
  | { type: 'beat' }
  | { type: 'health'; ok: true }
  | { type: 'health'; ok: false; reason: string };

/** From hearthd to the app. */
export type HearthdMessage =
  /** Stop in an orderly way; what still runs after `deadlineMs` (milliseconds) is killed. */
  | { type: 'stop'; deadlineMs: number }
  /** The connection that comes with it wants a session (remote/session.ts): from here on it is the app's. */
  | { type: 'session' };

/** A reason longer than this is cut: it ends up in one line on the console. */
export const MAX_REASON_LENGTH = 500;

/** The message when `value` is one that an app may send, else undefined. Total: never throws. */
export function parseAppMessage(value: unknown): AppMessage | undefined {
  if (!isRecord(value)) return undefined;
  switch (value.type) {
    case 'started':
      return { type: 'started' };
    case 'beat':
      return { type: 'beat' };
    case 'health':
      if (value.ok === true) return { type: 'health', ok: true };
      if (value.ok !== false) return undefined;
      return {
        type: 'health',
        ok: false,
        reason:
          typeof value.reason === 'string' ? value.reason.slice(0, MAX_REASON_LENGTH) : 'no reason given',
      };
    default:
      return undefined;
  }
}

/** The message when `value` is one that hearthd may send, else undefined. */
export function parseHearthdMessage(value: unknown): HearthdMessage | undefined {
  if (!isRecord(value)) return undefined;
  if (value.type === 'session') return { type: 'session' };
  if (value.type !== 'stop') return undefined;
  const { deadlineMs } = value;
  if (typeof deadlineMs !== 'number' || !(deadlineMs > 0)) return undefined;
  return { type: 'stop', deadlineMs };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
