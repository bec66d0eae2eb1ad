import { type ChildSpec, child, named, supervisor } from '../../otp/index.ts';
import type { RunnerOptions } from '../app/runner.ts';
import { type AppEffects, ReleasedApp } from './app.ts';
import { ControlSocket, refuse } from './control-socket.ts';

/** Beyond the app's own time to stop: to kill it, and to see it end. */
const STOP_MARGIN_MS = 3_000;

export interface TreeOptions {
  app: RunnerOptions;
  /** Path of the control socket. */
  control: string;
}

/** What a stop of the whole tree may take. */
export function stopDeadline({ stopTimeoutMs }: Pick<RunnerOptions, 'stopTimeoutMs'>): number {
  return stopTimeoutMs + STOP_MARGIN_MS;
}

/**
 * All that hearthd does on a server. Ends in order when the app has failed for good, and gives up when a part of hearthd
 * itself fails again and again.
 */
export function serverTree({ app, control }: TreeOptions, effects: AppEffects): ChildSpec {
  return supervisor({
    id: 'hearthd',
    maxRestarts: 3,
    maxSeconds: 60,
    autoShutdown: 'any_significant',
    children: [
      child(ReleasedApp, {
        name: 'app',
        // It ends in order only when there is nothing left to do.
        restart: 'transient',
        significant: true,
        shutdown: stopDeadline(app),
        args: [app, effects],
      }),
      child(ControlSocket, {
        name: 'control socket',
        args: [
          {
            path: control,
            isOff: 'remote and rpc are off',
            onConnection: (socket) => {
              const now = named<ReleasedApp>('app');
              if (now.alive) now.cast('session', socket);
              else refuse(socket, 'the app does not run now');
            },
            say: effects.say,
          },
        ],
      }),
    ],
  });
}
