import { MAX_REASON_LENGTH } from './channel.ts';
import { hearthdParent, type Parent } from './parent.ts';

/** What the app says about itself. hearthd restarts an app that stays unhealthy, and reverts a trial firmware. */
export interface Health {
  /** The app does its job. The first call of a boot makes hearthd print the `ready` line. */
  ok(): void;
  /**
   * The app runs but cannot do its job, for example because a sensor does not answer. Without an `ok()` within
   * `app.beatTimeoutMs` it is restarted.
   */
  fail(reason: string): void;
}

export interface HealthState extends Health {
  /** Whether the app has spoken for itself; `run` then does not declare it healthy. */
  readonly spoken: boolean;
}

export function createHealth(parent: Parent): HealthState {
  let spoken = false;
  return {
    get spoken() {
      return spoken;
    },
    ok() {
      spoken = true;
      parent.send({ type: 'health', ok: true });
    },
    fail(reason) {
      spoken = true;
      parent.send({ type: 'health', ok: false, reason: String(reason).slice(0, MAX_REASON_LENGTH) });
    },
  };
}

export const healthState: HealthState = createHealth(hearthdParent());
export const health: Health = healthState;
