/** hearthd: `fw build` bundles this file to /usr/lib/hearth/hearthd.mjs. It wires the services and decides their order. */

import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { DataState } from '../otp/device.ts';
import { appEnvironment, delegateApp, killApp, letGo, limitApp, spawnHeld } from './app/command.ts';
import { type AppState, createRunner } from './app/runner.ts';
import { MAX_REBOOTS, rebootReason } from './app/unhealthy.ts';
import { BOOT_FILE, parseBootInfo } from './boot-info.ts';
import { createConsole, silentConsole, systemConsole } from './console.ts';
import { createDataService } from './data/service.ts';
import { watchData } from './data/watch.ts';
import { createDevices } from './devices/service.ts';
import { systemExec } from './exec.ts';
import { FIRMWARE_FILE, parseFirmwareInfo } from './firmware-info.ts';
import { connectHeart } from './heart-link.ts';
import { createNetwork } from './network/service.ts';
import { PATHS } from './paths.ts';
import { firstOfBoot, readyLine } from './ready.ts';
import { createStatusFile } from './status.ts';

/** Importing a large app takes seconds on a slow card; an app that does not call `run()` must still be noticed. */
const START_TIMEOUT_MS = 60_000;

/** Milliseconds since the kernel started: the clock that Linux counts from there, and that never jumps. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;
const hearthdMs = now();

const info = parseFirmwareInfo(readFileSync(FIRMWARE_FILE, 'utf8'));
const console_ = createConsole(info.console === 'none' ? silentConsole : systemConsole(), now);
const { say } = console_;
process.on('uncaughtException', (error) => {
  say(`hearthd failed: ${error.stack ?? String(error)}`);
  process.exit(1);
});

// The first beat as early as can be: heart counts from the moment it started us.
if (process.env.HEART_FD !== undefined) {
  connectHeart(Number(process.env.HEART_FD), Number(process.env.HEART_BEAT_TIMEOUT ?? 10), (why) =>
    say(`the link to heart is lost: ${why}`),
  );
}

const boot = parseBootInfo(readFileSync(BOOT_FILE, 'utf8'));
const exec = systemExec();
mkdirSync(PATHS.run, { recursive: true });
try {
  delegateApp();
  limitApp(totalmem());
} catch (error) {
  // A kernel without the memory controller: the app runs all the same, and the kernel still ends it first.
  say(`the app's memory is not limited: ${(error as Error).message}`);
}
// Before all else: Node needs as long to come up as everything here together.
let held: ChildProcess | undefined = holdApp();
if (info.dev) say('this is a development firmware: not for the field');

let data: DataState | 'preparing' = 'preparing';
const changed = createStatusFile(PATHS.status, () => ({
  app: runner.state,
  data,
  network: Object.fromEntries(network.leases()),
}));
const dataIsSlow = Promise.withResolvers<void>();
const dataService = createDataService(boot, info.data.commitSeconds, {
  exec,
  say,
  onSlow: dataIsSlow.resolve,
});
const network = createNetwork(
  {
    heart: PATHS.heart,
    busybox: PATHS.busybox,
    script: PATHS.udhcpcScript,
    directory: PATHS.net,
    cgroup: PATHS.netCgroup,
    hostname: info.network.hostname,
    dhcp: info.network.dhcp,
  },
  { exec, say, onChange: changed },
);
const devices = createDevices(
  {
    listener: [
      PATHS.heart,
      'exec',
      '--pdeathsig',
      'KILL',
      '--',
      PATHS.busybox,
      'uevent',
      PATHS.busybox,
      'env',
    ],
  },
  { exec, say, onNetwork: () => network.refresh() },
);
const runner = createRunner(
  { ...info.app, startTimeoutMs: START_TIMEOUT_MS },
  {
    spawn: nextApp,
    killAll: killApp,
    now,
    onState: (state) => {
      changed();
      onAppState(state);
    },
    onOutput: console_.app,
    onReport: say,
  },
);
function holdApp(): ChildProcess {
  return spawnHeld(appEnvironment(info, boot), info.app.nodeArgs);
}

/** The process that was started ahead, if it still waits, else a new one; in either case let go. */
function nextApp(): ChildProcess {
  const waits = held?.pid !== undefined && held.exitCode === null && held.signalCode === null;
  const child = held !== undefined && waits ? held : holdApp();
  held = undefined;
  letGo(child, data === 'preparing' ? 'volatile' : data);
  return child;
}

let wasHealthy = false;
function onAppState(state: AppState): void {
  if (state.name === 'healthy') {
    if (firstOfBoot(PATHS.ready)) say(readyLine(boot, info, { hearthdMs, appMs: now() }));
    else if (!wasHealthy) say(`the app is healthy again, pid ${state.pid}`);
  }
  wasHealthy = state.name === 'healthy';
  if (state.name === 'failed') onAppFailed(state.refused);
}

function onAppFailed(refused = false): void {
  const { maxRestarts, restartWindowMs } = info.app;
  say(
    refused
      ? 'the app has failed: its configuration is refused at every start. It stays down, the device stays up'
      : `the app has failed: more than ${maxRestarts} restarts in ${restartWindowMs / 1000} s. It stays down, the device stays up`,
  );
  say(
    refused
      ? 'to mend it: set the variables that it names above, and install the new firmware'
      : 'to mend it: run the app on your machine (node src/app.ts), correct what it says above, and install the new firmware',
  );
  if (info.app.onUnhealthy !== 'reboot') return;
  const reason = rebootReason(boot.resetCause);
  if (reason === undefined) {
    say(`${MAX_REBOOTS} reboots have not helped: staying up`);
    return;
  }
  say(`rebooting: ${reason}`);
  writeFileSync(PATHS.reason, `${reason}\n`);
  process.kill(1, 'SIGTERM');
}

let stopping = false;
let stopWatchingData = (): void => {};
async function shutDown(): Promise<void> {
  if (stopping) return;
  stopping = true;
  held?.kill('SIGKILL');
  await runner.stop();
  devices.stop();
  network.stop();
  stopWatchingData();
  await dataService.release();
  process.exit(0);
}
process.on('SIGTERM', () => void shutDown());
process.on('SIGINT', () => void shutDown());

// The app first. What is in the kernel already gets its permissions before the app can look; the other services begin
// when the app is on its way, or at once when making or repairing /data takes its time.
devices.grantPresent();
const appOnItsWay = dataService.prepare().then((state) => {
  data = state;
  if (!stopping) runner.start();
  return state;
});
await Promise.race([appOnItsWay, dataIsSlow.promise]);
network.refresh();
await devices.start();
const mounted = await appOnItsWay;
await dataService.grow();
if (!stopping) stopWatchingData = watchData(PATHS.data, say, mounted === 'read-only');
changed();
