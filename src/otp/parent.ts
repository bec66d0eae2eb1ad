import { type AppMessage, type HearthdMessage, parseHearthdMessage } from './channel.ts';

/** The app's end of the channel to hearthd. On a laptop there is no hearthd, and sending does nothing. */
export interface Parent {
  readonly present: boolean;
  send(message: AppMessage): void;
  /** A `session` comes with a connection, unless its other end has been closed since. */
  onMessage(listener: (message: HearthdMessage, connection?: unknown) => void): void;
  /** hearthd died: nobody supervises this process any more. */
  onGone(listener: () => void): void;
}

/** Set by hearthd; an IPC channel alone could belong to any parent (a test runner, a process manager). */
export function hearthdParent(proc: NodeJS.Process = process): Parent {
  const present = typeof proc.send === 'function' && proc.env.HEARTH_BEAT_MS !== undefined;
  return {
    present,
    send(message) {
      if (!present || !proc.connected) return;
      try {
        // A channel that breaks during the send is reported by 'disconnect'; the callback keeps it from being thrown.
        proc.send?.(message, undefined, undefined, () => {});
      } catch {
        // Closed between the check and the call: 'disconnect' follows.
      }
    },
    onMessage(listener) {
      if (!present) return;
      proc.on('message', (raw, connection) => {
        const message = parseHearthdMessage(raw);
        if (message) listener(message, connection);
      });
    },
    onGone(listener) {
      if (present) proc.once('disconnect', listener);
    },
  };
}
