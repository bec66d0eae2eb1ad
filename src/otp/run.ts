import { type HealthState, healthState } from './health.ts';
import { type Logger, logger, logReports } from './logger/index.ts';
import { hearthdParent, type Parent } from './parent.ts';
import { createSessions, type Sessions } from './remote/sessions.ts';
import { DEFAULT_STOP_DEADLINE_MS, type Stopper, stopper } from './stop.ts';
import type { ChildSpec } from './supervisor/child-spec.ts';
import { supervisedApp } from './supervisor/supervised-app.ts';
import { workerStart } from './worker/mark.ts';

/** An app: something that starts, and perhaps something to do when it is asked to stop. */
export interface App {
  /** When the promise resolves the app is up, and healthy unless it says otherwise by `health`. */
  start(): void | Promise<void>;
  /** Runs before the `onStop` handlers, under the same deadline. */
  stop?(): void | Promise<void>;
  /** Fulfilled when the app has ended by itself, with the error if that was a failure. Asked for once it has started. */
  ended?(): Promise<Error | undefined>;
}

export interface RunEnvironment {
  parent: Parent;
  health: HealthState;
  stopper: Stopper;
  log: Logger;
  /** People who look into the app. */
  sessions: Sessions;
  /** What a stop may take when whoever asks for it does not say. */
  stopDeadlineMs: number;
  /** Between beats, milliseconds. */
  beatEveryMs: number;
  onSignal(signal: 'SIGTERM' | 'SIGINT', listener: () => void): void;
  exit(code: number): void;
}

/**
 * Runs the app: the one call an app's entry file makes. Tells hearthd that the app has started, beats from the
 * event loop (a loop that stands still is noticed and the app restarted), declares the app healthy when `start`
 * has resolved, and stops it in order on SIGTERM, Ctrl-C, hearthd's `stop`, or hearthd's death. When `start` fails
 * the error is logged and the process exits with 1; hearthd restarts it.
 *
 * A supervision tree is an app: `run(supervisor({ children }))`. When its top gives up, one report of that is logged and
 * the process exits with 1.
 *
 * The process stays up until it is stopped, even when nothing else holds it. On a laptop it does the same without hearthd.
 */
export function run(app: App | ChildSpec | (() => void | Promise<void>)): void {
  // A thread of a server of this app, which has loaded the app's bundle: the app itself runs elsewhere.
  if (workerStart()) return;
  logReports(logger);
  runIn(
    {
      parent: hearthdParent(),
      health: healthState,
      stopper,
      log: logger,
      sessions: createSessions(),
      stopDeadlineMs: DEFAULT_STOP_DEADLINE_MS,
      beatEveryMs: beatInterval(process.env.HEARTH_BEAT_MS),
      onSignal: (signal, listener) => process.once(signal, listener),
      exit: (code) => process.exit(code),
    },
    appOf(app),
  );
}

function appOf(app: App | ChildSpec | (() => void | Promise<void>)): App {
  if (typeof app === 'function') return { start: app };
  return 'restart' in app ? supervisedApp(app) : app;
}

/** Five beats per timeout: four may be late before the app counts as hung. */
export function beatInterval(timeoutMs: string | undefined): number {
  const timeout = Number(timeoutMs);
  return timeout > 0 ? Math.max(50, Math.floor(timeout / 5)) : 2_000;
}

export function runIn(env: RunEnvironment, app: App): void {
  const { parent, health, stopper, log, sessions, stopDeadlineMs } = env;
  let stopping = false;

  parent.send({ type: 'started' });
  const beat = setInterval(() => parent.send({ type: 'beat' }), env.beatEveryMs);

  const stop = (deadlineMs: number, why: string): void => {
    if (stopping) return;
    stopping = true;
    log.info(`stopping: ${why}`);
    sessions.end(`the app stops: ${why}`);
    if (app.stop) stopper.onStop(() => app.stop?.());
    stopper.stop(deadlineMs).then(
      (clean) => {
        clearInterval(beat);
        env.exit(clean ? 0 : 1);
      },
      () => env.exit(1),
    );
  };
  parent.onMessage((message, connection) => {
    if (message.type === 'stop') stop(message.deadlineMs, 'hearthd asked');
    else sessions.accept(connection);
  });
  parent.onGone(() => stop(stopDeadlineMs, 'hearthd is gone'));
  // hearthd sends the message first; the signal is for shells and other supervisors.
  env.onSignal('SIGTERM', () => stop(stopDeadlineMs, 'SIGTERM'));
  env.onSignal('SIGINT', () => stop(stopDeadlineMs, 'interrupted'));

  const started = (): void => {
    if (!health.spoken && !stopping) health.ok();
    app.ended?.().then(ended, ended);
  };
  const ended = (error: Error | undefined): void => {
    if (stopping) return;
    if (error === undefined) {
      stop(stopDeadlineMs, 'the app has ended');
      return;
    }
    log.critical('the app crashed', { error });
    env.exit(1);
  };
  const failed = (error: unknown): void => {
    if (stopping) return;
    log.critical('the app failed to start', { error });
    env.exit(1);
  };
  try {
    Promise.resolve(app.start()).then(started, failed);
  } catch (error) {
    failed(error);
  }
}
