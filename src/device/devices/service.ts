import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import type { Exec } from '../exec.ts';
import { createLinks, isLinked } from './links.ts';
import { createModuleLoader, findModaliases, impliedModule, impliedModules } from './modules.ts';
import { grant, grantAll } from './nodes.ts';
import { createUeventParser, type Uevent } from './uevent.ts';

/** A USB hub that is plugged in makes dozens of events: their modules are loaded by one process. */
const GATHER_MS = 20;
/** Buses bring devices with buses: USB controller, hub, adapter, its port. More passes than that find nothing. */
const MAX_PASSES = 6;
/** Between an end of the listener and its next start: 1, 2, 4 … 60 s, milliseconds. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 60_000;
const PROBE_EVERY_MS = 200;
/** By then it listens, or never will; the rest of the start must not hang on it. */
const LISTEN_TIMEOUT_MS = 10_000;
/** Marks the event that we ask for ourselves, to know that the listener listens. */
const PROBE_UUID = '6d6c1f5e-5f0b-4a57-9c43-1c36c1f0b1a9';
/** A device that is everywhere and that nobody cares about. */
const PROBE_FILE = 'devices/virtual/mem/null/uevent';

export interface DevicesOptions {
  /** The listener: prints each event's variables, e.g. `heart exec … busybox uevent /bin/busybox env`. */
  listener: readonly [program: string, ...args: string[]];
  sys?: string;
  dev?: string;
}

export interface DevicesEffects {
  exec: Exec;
  say(message: string): void;
  /** A network interface came or went; also called once for all when those that are there should be looked at. */
  onNetwork(): void;
}

export interface Devices {
  /** What is in the kernel already gets its permissions and names. Quick, without a process. */
  grantPresent(): void;
  /** Loads the modules of all devices, then goes on with those that come. Resolves when the first part is done. */
  start(): Promise<void>;
  stop(): void;
}

/**
 * What udev does elsewhere: modules for the hardware that is there or is plugged in, device nodes handed to groups, stable
 * names for serial ports and disks.
 */
export function createDevices(options: DevicesOptions, effects: DevicesEffects): Devices {
  const sys = options.sys ?? '/sys';
  const dev = options.dev ?? '/dev';
  const links = createLinks(sys, dev);
  const modules = createModuleLoader(effects.exec, effects.say);
  const waiting = new Set<string>();
  let gathering = false;
  let listener: ChildProcess | undefined;
  let retry: NodeJS.Timeout | undefined;
  let retryMs = FIRST_RETRY_MS;
  let stopped = false;

  function grantPresent(): void {
    grantAll(dev);
    links.addAll();
  }

  /** New devices appear while modules load; each pass asks only for what no pass before has seen. */
  async function loadPresent(): Promise<void> {
    for (let pass = 0; pass < MAX_PASSES && !stopped; pass++) {
      const names = [...(await findModaliases(effects.exec, sys)), ...impliedModules(sys)];
      if ((await modules.load(names)) === 0) break;
      effects.onNetwork();
    }
    grantPresent();
    effects.onNetwork();
  }

  function onEvent(event: Uevent): void {
    const present = event.action !== 'remove';
    const implied = impliedModule(event.subsystem, event.devpath);
    const names = [event.modalias, implied].filter((name) => name !== undefined);
    if (present && event.action !== 'unbind') loadSoon(names);
    if (event.devname !== undefined) onNode(event, event.devname, present);
    if (event.subsystem === 'net') effects.onNetwork();
  }

  function loadSoon(names: readonly string[]): void {
    for (const name of names) waiting.add(name);
    if (waiting.size === 0 || gathering) return;
    gathering = true;
    setTimeout(() => {
      gathering = false;
      const batch = [...waiting];
      waiting.clear();
      if (!stopped) modules.load(batch).catch((error: unknown) => effects.say(`modules: ${String(error)}`));
    }, GATHER_MS);
  }

  function onNode(event: Uevent, devname: string, present: boolean): void {
    if (present) grant(dev, devname);
    if (!isLinked(event.subsystem)) return;
    if (!present) {
      links.remove(event.subsystem, devname);
      return;
    }
    try {
      links.add(event.subsystem, devname);
    } catch (error) {
      effects.say(`no stable name for ${devname}: ${String(error)}`);
    }
  }

  /** Resolves when the listener has heard its first event: from then on nothing is missed. */
  async function listen(): Promise<void> {
    const { promise: heard, resolve } = Promise.withResolvers<void>();
    const [program, ...args] = options.listener;
    // Without an environment of its own: `env` prints that too.
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], env: {} });
    listener = child;
    const parse = createUeventParser((event) => {
      resolve();
      retryMs = FIRST_RETRY_MS;
      if (event.synthetic !== PROBE_UUID) onEvent(event);
    });
    child.stdout.setEncoding('utf8').on('data', parse);
    const ended = (why: string): void => {
      resolve();
      if (listener !== child) return;
      listener = undefined;
      if (stopped) return;
      effects.say(`hot-plug: the listener ${why}; starting it again in ${retryMs / 1000} s`);
      retry = setTimeout(() => void startAgain(), retryMs);
      retryMs = Math.min(LAST_RETRY_MS, retryMs * 2);
    };
    child.on('error', (error) => ended(`cannot be started: ${error.message}`));
    child.on('exit', (code, signal) => ended(`ended (${signal ?? code})`));
    const probe = setInterval(() => askForEvent(sys), PROBE_EVERY_MS);
    const limit = setTimeout(resolve, LISTEN_TIMEOUT_MS);
    askForEvent(sys);
    await heard;
    clearTimeout(limit);
    clearInterval(probe);
  }

  async function startAgain(): Promise<void> {
    await listen();
    // What came while nobody listened.
    await loadPresent();
  }

  return {
    grantPresent,
    async start() {
      await loadPresent();
      await listen();
      // What came between the last look and the first event heard.
      await loadPresent();
    },
    stop() {
      stopped = true;
      clearTimeout(retry);
      listener?.kill('SIGKILL');
    },
  };
}

function askForEvent(sys: string): void {
  try {
    writeFileSync(`${sys}/${PROBE_FILE}`, `change ${PROBE_UUID}`);
  } catch {
    // Without the file the first real event does it.
  }
}
