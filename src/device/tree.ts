import { type ChildSpec, child, named, supervisor } from '../otp/index.ts';
import type { RunnerOptions } from './app/runner.ts';
import { type AppEffects, AppServer } from './app/server.ts';
import { data } from './data/server.ts';
import type { DataService } from './data/service.ts';
import { DataWatch } from './data/watch.ts';
import { type DevicesOptions, devices } from './devices/service.ts';
import type { Exec } from './exec.ts';
import { speaker } from './log.ts';
import { type Network, type NetworkOptions, network } from './network/service.ts';
import { StatusFile } from './status.ts';

export interface HearthdOptions {
  network: NetworkOptions;
  devices: DevicesOptions;
  app: RunnerOptions;
  /** `/data` */
  data: string;
  /** The status file. */
  status: string;
}

export interface HearthdEffects {
  exec: Exec;
  /** @param onSlow to be called where making or repairing /data begins */
  data(onSlow: () => void): DataService;
  app: Omit<AppEffects, 'onItsWay' | 'say'>;
}

/** From SIGKILL to the end of the app's pipes, and then some: the runner has deadlines of its own. */
const APP_ENDS_MS = 5_000;
/** More of that, and it is hearthd that is broken: heart starts it anew, and counts. */
const INTENSITY = { maxRestarts: 5, maxSeconds: 60 };

/**
 * All that hearthd does, started from the top and stopped from the bottom. Each restarts on its own. What is beside the
 * app's way to its first line waits for its turn: until the app is let go, or /data keeps even that waiting.
 */
export function hearthd(options: HearthdOptions, effects: HearthdEffects): ChildSpec {
  const { exec } = effects;
  const turn = Promise.withResolvers<void>();
  const settled = Promise.withResolvers<void>();
  const changed = (): void => named<StatusFile>('status').cast('changed');
  const onNetwork = (): void => named<Network>('network').cast('refresh');
  const app: AppEffects = {
    ...effects.app,
    onState(state) {
      changed();
      effects.app.onState(state);
    },
    say: speaker('app'),
    onItsWay: turn.resolve,
  };
  return supervisor({
    ...INTENSITY,
    name: 'hearthd',
    children: [
      data({ service: effects.data(turn.resolve), settled: settled.promise, onChange: changed }),
      network(options.network, { exec, say: speaker('network'), onChange: changed, turn: turn.promise }),
      devices(options.devices, {
        exec,
        say: speaker('devices'),
        onNetwork,
        onSettled: settled.resolve,
        turn: turn.promise,
      }),
      // What must work when the app does not stands here: remote access, updates.
      child(AppServer, {
        name: 'app',
        shutdown: options.app.stopTimeoutMs + APP_ENDS_MS,
        args: [options.app, app],
      }),
      child(StatusFile, { name: 'status', shutdown: 'brutal', args: [options.status] }),
      child(DataWatch, {
        name: 'data watch',
        shutdown: 'brutal',
        args: [{ target: options.data, say: speaker('data') }],
      }),
    ],
  });
}
