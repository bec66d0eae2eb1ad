import { setTimeout } from 'node:timers/promises';
import { type ChildSpec, child, named, supervisor } from '../otp/index.ts';
import type { Device } from './api/device.ts';
import { serveSsh } from './api/session.ts';
import type { RunnerOptions } from './app/runner.ts';
import { type AppEffects, AppServer } from './app/server.ts';
import { data } from './data/server.ts';
import type { DataService } from './data/service.ts';
import { DataWatch } from './data/watch.ts';
import type { Onlookers } from './dev/onlookers.ts';
import { type DevicesOptions, devices } from './devices/service.ts';
import type { Exec } from './exec.ts';
import type { DeviceIdentity } from './identity.ts';
import { speaker } from './log.ts';
import type { Presence } from './mdns/claims.ts';
import type { Link } from './mdns/interfaces.ts';
import { type Mdns, mdns } from './mdns/server.ts';
import { type Network, type NetworkOptions, network } from './network/service.ts';
import { ControlSocket } from './server/control-socket.ts';
import type { SshOptions } from './ssh/keys.ts';
import { Ssh } from './ssh/service.ts';
import { known, StatusFile } from './status.ts';
import { Update, type UpdateEffects, type UpdateOptions } from './update/server.ts';

export interface HearthdOptions {
  network: NetworkOptions;
  devices: DevicesOptions;
  app: RunnerOptions;
  /** `/data` */
  data: string;
  /** The status file. */
  status: string;
  /** The control socket. */
  control: string;
  update: UpdateOptions;
  ssh: SshOptions;
  /** What the device says of itself to its network. */
  presence: Omit<Presence, 'hostname' | 'serial' | 'ssh'>;
}

export interface HearthdEffects {
  exec: Exec;
  /** @param onSlow to be called where making or repairing /data begins */
  data(onSlow: () => void): DataService;
  app: Omit<AppEffects, 'onItsWay' | 'say' | 'isDebugged'>;
  /** People who work on the app. */
  onlookers: Onlookers;
  /** The whole disk. */
  disk: UpdateEffects['disk'];
  identity: DeviceIdentity;
  /** Interfaces that are up. */
  links(): Link[];
  update: Omit<UpdateEffects, 'turn' | 'disk' | 'say' | 'appState' | 'appHeard'>;
  device: Device;
}

/** From SIGKILL to the end of the app's pipes, and then some: the runner has deadlines of its own. */
const APP_ENDS_MS = 5_000;
/** The engine and the keys of SSH take two processors their time: an app that is not up by then does not keep them any longer. */
const APP_COMES_UP_MS = 10_000;
/** More of that, and it is hearthd that is broken: heart starts it anew, and counts. */
const INTENSITY = { maxRestarts: 5, maxSeconds: 60 };

/**
 * All that hearthd does, started from the top and stopped from the bottom. Each restarts on its own. What is beside the
 * app's way to its first line waits for its turn: until the app is let go, or /data keeps even that waiting; updates and SSH,
 * until the app has come up or has failed to.
 */
export function hearthd(options: HearthdOptions, effects: HearthdEffects): ChildSpec {
  const { exec, disk, identity, onlookers } = effects;
  const turn = Promise.withResolvers<void>();
  const settled = Promise.withResolvers<void>();
  const up = Promise.withResolvers<void>();
  void turn.promise.then(() => setTimeout(APP_COMES_UP_MS, undefined, { ref: false })).then(up.resolve);
  const changed = (): void => named<StatusFile>('status').cast('changed');
  const onLease = (): void => {
    changed();
    named<Mdns>('mdns').cast('look');
  };
  const onNetwork = (): void => named<Network>('network').cast('refresh');
  const app: AppEffects = {
    ...effects.app,
    onState(state) {
      if (state.name !== 'stopped' && state.name !== 'starting') up.resolve();
      changed();
      named<Update>('update').cast('app', state);
      effects.app.onState(state);
      onlookers.state(state);
    },
    onOutput(line) {
      effects.app.onOutput(line);
      onlookers.output(line);
    },
    say(message) {
      speaker('app')(message);
      onlookers.report(message);
    },
    isDebugged: () => onlookers.debug,
    onItsWay: turn.resolve,
  };
  return supervisor({
    ...INTENSITY,
    name: 'hearthd',
    children: [
      data({ service: effects.data(turn.resolve), settled: settled.promise, onChange: changed }),
      network(options.network, {
        ...{ exec, say: speaker('network'), onChange: onLease, turn: turn.promise },
        hostname: async () => (await identity.read()).hostname,
      }),
      devices(options.devices, {
        exec,
        say: speaker('devices'),
        onNetwork,
        onSettled: settled.resolve,
        turn: turn.promise,
      }),
      // What must work when the app does not: updates, remote access. Before the app, whose states decide about a trial.
      child(Update, {
        name: 'update',
        args: [
          options.update,
          {
            ...effects.update,
            ...{ disk, say: speaker('update'), turn: up.promise },
            appState: () => known(named<AppServer>('app').call('state'), undefined),
            appHeard: () => known(named<AppServer>('app').call('heard'), undefined),
          },
        ],
      }),
      child(Ssh, {
        name: 'ssh',
        shutdown: 'brutal',
        args: [options.ssh, { exec, identity, say: speaker('ssh'), turn: up.promise }],
      }),
      mdns({
        ...{ links: effects.links, say: speaker('mdns'), turn: up.promise },
        async presence() {
          const { hostname = options.network.hostname, serial, operatorKeys } = await identity.read();
          const ssh = options.ssh.authorizedKeys.length + operatorKeys.length > 0;
          return { ...options.presence, hostname, serial, ssh };
        },
      }),
      child(ControlSocket, {
        name: 'control socket',
        args: [
          {
            path: options.control,
            isOff: 'SSH sessions are off',
            sharedFolder: true,
            onConnection: (socket) => serveSsh(socket, effects.device),
            say: speaker('ssh'),
          },
        ],
      }),
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
