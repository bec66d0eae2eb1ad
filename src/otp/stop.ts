import { type Logger, logger } from './logger/index.ts';

export type StopHandler = () => void | Promise<void>;

/** Milliseconds that an app gets to stop when nobody says otherwise (Ctrl-C on a laptop). */
export const DEFAULT_STOP_DEADLINE_MS = 5_000;

export interface Stopper {
  onStop(handler: StopHandler): void;
  /**
   * Runs the handlers, the newest first, so that what was set up last is torn down first. A handler that throws
   * is logged and the rest still run. The promise never rejects.
   * @returns whether all of them ended, without an error, within `deadlineMs`
   */
  stop(deadlineMs: number): Promise<boolean>;
}

export function createStopper(log: Pick<Logger, 'error'>): Stopper {
  const handlers: StopHandler[] = [];
  let stopping: Promise<boolean> | undefined;

  async function unwind(expired: Promise<'expired'>): Promise<boolean> {
    let clean = true;
    for (let handler = handlers.pop(); handler; handler = handlers.pop()) {
      try {
        // Started before the race, so that even after the deadline no handler is skipped for being asynchronous.
        const ended = Promise.resolve(handler());
        ended.catch(() => {});
        if ((await Promise.race([ended, expired])) === 'expired') {
          log.error('a stop handler did not end in time', { handler: handler.name || 'anonymous' });
          return false;
        }
      } catch (error) {
        clean = false;
        log.error('a stop handler failed', { error });
      }
    }
    return clean;
  }

  return {
    onStop(handler) {
      handlers.push(handler);
    },
    stop(deadlineMs) {
      stopping ??= (async () => {
        let timer: NodeJS.Timeout | undefined;
        // Not Promise.withResolvers: on a laptop apps also run on Node 20, which has none.
        const expired = new Promise<'expired'>((resolve) => {
          timer = setTimeout(resolve, deadlineMs, 'expired');
        });
        try {
          return await unwind(expired);
        } finally {
          clearTimeout(timer);
        }
      })();
      return stopping;
    },
  };
}

export const stopper: Stopper = createStopper(logger);

/**
 * Registers what to do when the app is asked to stop (an update, a reboot, Ctrl-C). Handlers run newest first and
 * share one deadline (`app.stopTimeoutMs`); afterwards the process ends.
 */
export function onStop(handler: StopHandler): void {
  stopper.onStop(handler);
}
