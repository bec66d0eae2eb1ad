import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { generateKey } from '../archive/index.ts';
import type { DataState } from '../otp/device.ts';
import { logging, named, type Server } from '../otp/index.ts';
import { encodeFrame, FRAME, FrameReader } from '../otp/remote/frame.ts';
import { encodeRequest } from '../otp/remote/request.ts';
import { type SupervisedApp, supervisedApp } from '../otp/supervisor/supervised-app.ts';
import { SimulatedDisk } from '../update/simulated-disk.ts';
import { firmware, flashed, signer } from '../update/test-machine.ts';
import { deviceOf } from './api/services.ts';
import { parseStatus } from './api/status.ts';
import type { AppState } from './app/runner.ts';
import type { AppServer } from './app/server.ts';
import { parseBootInfo } from './boot-info.ts';
import type { Data } from './data/server.ts';
import { Onlookers } from './dev/onlookers.ts';
import type { Result } from './exec.ts';
import type { FirmwareInfo } from './firmware-info.ts';
import { DeviceIdentity } from './identity.ts';
import { sayReports } from './reports.ts';
import { type HearthdEffects, hearthd } from './tree.ts';

// The whole tree over a kernel made of files: /sys, /dev, the uevents. The app, the DHCP client and the listener are programs.
const heart = fileURLToPath(
  new URL(
    `../../firmware/heart/prebuilt/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}/heart`,
    import.meta.url,
  ),
);
const APP = `
process.on('SIGUSR1', () => process.send({ type: 'health', ok: false, reason: 'asked' }));
process.stdin.resume().on('end', () => {
  process.send({ type: 'started' });
  process.send({ type: 'health', ok: true });
  process.on('message', () => process.exit(0));
});`;
const UDHCPC = `#!${process.execPath}
const { argv, pid } = process;
const { appendFileSync, writeFileSync } = require('node:fs');
appendFileSync(argv[1].replace('busybox', 'clients'), pid + '\\n');
writeFileSync(argv[argv.indexOf('-p') + 1], String(pid));
setInterval(() => {}, 1e6);`;

const INFO: FirmwareInfo = {
  ...{ product: 'hello', version: '1.0.0', target: 'rpi3', uuid: 'u-1', console: 'log', dev: false },
  ...{ exampleKey: false, network: { hostname: 'box', dhcp: true }, data: { commitSeconds: 5 } },
  app: {
    ...{ beatTimeoutMs: 60_000, maxRestarts: 5, restartWindowMs: 60_000, stopTimeoutMs: 10_000 },
    ...{ onUnhealthy: 'stay', env: {} },
  },
  ...{ sshKeys: [], updateKeys: [], kernelVersion: '6' },
  update: { healthySeconds: 30, trialSeconds: 300, validate: 'auto' },
};
const BOOT = parseBootInfo('TARGET=rpi3\nSLOT=a\nUUID=u-1\nDISK=/dev/vda\nROOT=/dev/vda3\nTABLE=gpt\n');

let folder: string;
let disk: SimulatedDisk;
let tree: SupervisedApp;
let apps: ChildProcess[];
/** Held while another runs. */
let asides: ChildProcess[];
let states: AppState[];
let onlookers: Onlookers;
let happened: string[];
let said: string[];
let stopSaying: () => void;

const path = (...parts: string[]): string => join(folder, ...parts);
function plugIn(name: string): void {
  mkdirSync(path('sys/class/net', name, 'device'), { recursive: true });
  writeFileSync(path('sys/class/net', name, 'type'), '1\n');
}
function uevent(values: Record<string, string>): void {
  const lines = Object.entries({ ...values, SEQNUM: '1' }).map(([key, value]) => `${key}=${value}\n`);
  writeFileSync(path('uevents'), lines.join(''), { flag: 'a' });
}

beforeEach(async () => {
  disk = new SimulatedDisk(await flashed('gpt', await firmware(0)));
  folder = mkdtempSync(join(tmpdir(), 'hearth-tree-'));
  for (const name of ['sys', 'dev', 'net', 'cgroup']) mkdirSync(path(name));
  plugIn('eth0');
  for (const name of ['cgroup/cgroup.procs', 'uevents', 'hostname']) writeFileSync(path(name), '');
  writeFileSync(path('app.cjs'), APP);
  writeFileSync(path('busybox'), UDHCPC, { mode: 0o755 });
  [apps, asides, states, happened, said] = [[], [], [], [], []];
  onlookers = new Onlookers();
  stopSaying = sayReports();
  logging.addBackend('console', { write: (line) => said.push(line) });
});
afterEach(async () => {
  await tree.stop();
  stopSaying();
  const client = udhcpc();
  if (client !== undefined) process.kill(client, 'SIGKILL');
  rmSync(folder, { recursive: true });
});

interface Changes {
  prepare?(onSlow: () => void): Promise<DataState>;
  grow?(): Promise<void>;
  onState?(state: AppState): void;
}

async function start({ prepare, grow, onState }: Changes = {}): Promise<void> {
  const exec = async (program: string, args: readonly string[]): Promise<Result> => {
    happened.push([program.replace(folder, ''), ...args].join(' ').replaceAll(folder, ''));
    if (program === 'dropbearkey') writeFileSync(args[3] ?? '', 'a host key');
    const none = { signal: undefined, stderr: '', failure: undefined, timedOut: false };
    return { code: 0, stdout: '', ...none };
  };
  const identity = new DeviceIdentity(async () => disk, 'pi-17');
  const effects: HearthdEffects = {
    exec,
    data: (onSlow) => ({
      async prepare() {
        happened.push('prepare');
        return (await prepare?.(onSlow)) ?? 'persistent';
      },
      async grow() {
        happened.push('grow');
        await grow?.();
      },
      release: async () => void happened.push('release'),
    }),
    app: {
      hold(aside = false) {
        const child = spawn(process.execPath, [path('app.cjs')], { stdio: ['pipe', 'pipe', 'pipe', 'ipc'] });
        child.on('error', () => {});
        (aside ? asides : apps).push(child);
        return child;
      },
      letGo(child, data) {
        if (asides.includes(child)) apps.push(child);
        happened.push(`app with ${data} data`);
        child.stdin?.end();
      },
      killAll() {
        for (const app of apps) app.kill('SIGKILL');
      },
      now: () => performance.now(),
      onState(state) {
        states.push(state);
        onState?.(state);
      },
      onOutput: () => {},
    },
    onlookers,
    disk: async () => disk,
    identity,
    links: () => [],
    update: {
      oneShot: { arm: async (slot) => void happened.push(`arm ${slot}`) },
      now: () => performance.now(),
      date: () => new Date(),
      firstOfBoot: () => true,
      reboot: (reason) => void happened.push(`reboot: ${reason}`),
    },
    device: deviceOf(INFO, BOOT, {
      ...{ onlookers, identity },
      now: () => performance.now(),
      goDown: (how, reason) => void happened.push(`${how}: ${reason}`),
    }),
  };
  const options = {
    data: path('data'),
    network: {
      ...{ heart, busybox: path('busybox'), script: path('udhcpc.script'), directory: path('net') },
      ...{ cgroup: path('cgroup'), hostname: 'box', hostnameFile: path('hostname'), dhcp: true },
      sys: path('sys'),
    },
    devices: {
      listener: {
        command: 'sh',
        args: ['-c', `echo $$ >${path('tail.pid')}; exec tail -n +1 -f ${path('uevents')}`],
      },
      ...{ sys: path('sys'), dev: path('dev') },
    },
    app: {
      ...{ beatTimeoutMs: 60_000, startTimeoutMs: 60_000, stopTimeoutMs: 10_000 },
      ...{ maxRestarts: 5, restartWindowMs: 60_000 },
    },
    status: path('status.json'),
    control: path('control.sock'),
    update: {
      ...{ table: 'gpt' as const, booted: BOOT.slot, resetCause: BOOT.resetCause },
      ...{ trustedKeys: [signer.publicKey], versionFloor: undefined, version: INFO.version },
      device: { product: INFO.product, target: INFO.target, arch: 'aarch64' as const },
      rules: INFO.update,
    },
    ssh: { folder: path('ssh'), dropbearkey: 'dropbearkey', authorizedKeys: [] },
    presence: { product: INFO.product, version: INFO.version, uuid: INFO.uuid, target: INFO.target },
  };
  tree = supervisedApp(hearthd(options, effects));
  await tree.start();
}

const until = <T>(look: () => T): Promise<T> => vi.waitFor(look, { timeout: 30_000, interval: 20 });
const NAMES = [
  ...['data', 'dhcp', 'dhcp eth0', 'network', 'devices', 'hot-plug'],
  ...['update', 'ssh', 'mdns', 'control socket', 'app', 'status', 'data watch'],
];
const ids = (): Map<string, number | undefined> =>
  new Map(NAMES.map((name) => [name, named<Server>(name).find()?.id]));
const running = (): number[] =>
  apps.flatMap(({ pid, exitCode, signalCode }) => (pid && exitCode === null && !signalCode ? [pid] : []));
function udhcpc(): number | undefined {
  const file = path('net/eth0.pid');
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
}

function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // It has ended since /proc was read, or never was a process.
    return [];
  }
}

/** Everything runs, and has nothing more to do. */
async function settled(): Promise<void> {
  await until(() => {
    expect([...ids()].filter(([, id]) => id === undefined)).toEqual([]);
    expect(states.at(-1)?.name).toBe('healthy');
    expect(udhcpc()).toBeGreaterThan(1);
    expect(happened).toContain('grow');
  });
}

/** What a session on the control socket is told, as JSON. */
async function ask(line: string): Promise<unknown> {
  const socket = createConnection(path('control.sock'));
  socket.write(encodeFrame(FRAME.request, encodeRequest({ verb: 'ssh', argv: [line], terminal: undefined })));
  const frames = new FrameReader().push(Buffer.concat(await socket.toArray())) ?? [];
  const output = frames.filter(({ type }) => type === FRAME.output).map(({ payload }) => payload);
  return JSON.parse(Buffer.concat(output).toString());
}

test('everything comes up: the app first, then what is slow; the disk grows last', async () => {
  await start();
  await settled();
  expect(happened[0]).toBe('prepare');
  expect(happened[1]).toBe('app with persistent data');
  expect(happened.findIndex((each) => each.startsWith('find '))).toBeGreaterThan(1);
  expect(happened.indexOf('grow')).toBeGreaterThan(2);
  expect(readFileSync(path('hostname'), 'utf8')).toBe('box');
  writeFileSync(path('net/eth0.lease'), 'EVENT=bound\nADDRESS=10.0.0.5/24\nROUTER=\nDNS=\n');
  await until(() =>
    expect(JSON.parse(readFileSync(path('status.json'), 'utf8'))).toMatchObject({
      app: { name: 'healthy', pid: running()[0] },
      data: 'persistent',
      network: { eth0: { address: '10.0.0.5/24' } },
    }),
  );
});

test('a device that was given a name has it from its first question for an address on', async () => {
  await new DeviceIdentity(async () => disk, 'pi-17').change((before) => ({
    ...before,
    hostname: 'kitchen',
  }));
  await start();
  await settled();
  expect(commandLine(String(udhcpc()))).toContain('hostname:kitchen');
  expect(readFileSync(path('hostname'), 'utf8')).toBe('kitchen');
  expect(await ask('hostname shed --json')).toEqual({ hostname: 'shed', serial: 'pi-17', from: 'device' });
  await until(() => expect(readFileSync(path('hostname'), 'utf8')).toBe('shed'));
  expect(await ask('status --json')).toMatchObject({ hostname: 'shed', serial: 'pi-17' });
});

test('who is let in is told to the daemon when the answer comes: there is one from then on', async () => {
  await start();
  await settled();
  expect(existsSync(path('ssh/authorized_keys'))).toBe(false);
  const line = generateKey('me').publicKey.trim();
  expect(await ask(`key add ${line} --json`)).toEqual({ added: true });
  expect(readFileSync(path('ssh/authorized_keys'), 'utf8')).toBe(`${line}\n`);
  expect(readFileSync(path('ssh/host_key'), 'utf8')).toBe('a host key');
});

test('the app is started anew in good order when it is told so, and whoever looks on sees it', async () => {
  const seen: string[] = [];
  await start();
  await settled();
  const leave = onlookers.add({
    output: () => {},
    report: () => {},
    state: ({ name }) => void seen.push(name),
  });
  await named<AppServer>('app').call('startAnew');
  await until(() => expect(seen).toEqual(['stopping', 'stopped', 'starting', 'healthy']));
  expect(apps.map(({ exitCode }) => exitCode)).toEqual([0, null]);
  leave();
  apps[1]?.kill('SIGKILL');
  await until(() => expect(states.at(-1)).toMatchObject({ name: 'healthy', pid: apps[2]?.pid }));
  expect(seen).toHaveLength(4);
});

test('once an app was started anew, the next process is held ready beside the one that runs, and goes with hearthd', async () => {
  await start();
  await settled();
  expect(asides).toEqual([]);
  await named<AppServer>('app').call('startAnew');
  await until(() => expect(asides).toHaveLength(1));
  // The end of the one that runs is not its end: it is the next one.
  await named<AppServer>('app').call('startAnew');
  await until(() => expect(states.at(-1)).toMatchObject({ name: 'healthy', pid: asides[0]?.pid }));
  await until(() => expect(asides).toHaveLength(2));
  expect(apps).toHaveLength(3);
  const waiting = asides[1];
  await tree.stop();
  await until(() => expect(waiting?.signalCode).toBe('SIGKILL'));
});

test('a session on the control socket asks the whole device, and its status is the last thing it hears', async () => {
  await start();
  await settled();
  const socket = createConnection(path('control.sock'));
  socket.write(
    encodeFrame(FRAME.request, encodeRequest({ verb: 'ssh', argv: ['status --json'], terminal: undefined })),
  );
  const bytes = Buffer.concat(await socket.toArray());
  const frames = new FrameReader().push(bytes) ?? [];
  expect(frames.map(({ type }) => type)).toEqual([FRAME.ready, FRAME.output, FRAME.exit]);
  expect(frames[2]?.payload).toEqual(Buffer.of(0));
  expect(parseStatus(String(frames[1]?.payload))).toMatchObject({
    ...{ product: 'hello', slot: 'a', state: 'idle', data: 'persistent', resetCause: 'unknown' },
    slots: { a: { version: '1.0.0', validated: true } },
    app: { name: 'healthy', pid: running()[0] },
  });
});

test('while /data is repaired the network does not wait, and the app does', async () => {
  const { promise: repaired, resolve } = Promise.withResolvers<DataState>();
  await start({
    prepare(onSlow) {
      onSlow();
      return repaired;
    },
  });
  await until(() => expect(udhcpc()).toBeGreaterThan(1));
  expect(happened).not.toContainEqual(expect.stringMatching(/^app with/));
  resolve('read-only');
  await settled();
  expect(happened).toContain('app with read-only data');
});

test.each<[name: string, alsoRestarts: string[]]>([
  ['data', []],
  ['dhcp', ['dhcp eth0', 'network']],
  ['dhcp eth0', []],
  ['network', []],
  ['devices', ['hot-plug']],
  ['hot-plug', []],
  ['update', []],
  ['ssh', []],
  ['mdns', []],
  ['control socket', []],
  ['status', []],
  ['data watch', []],
])('%s is killed: what restarts is that and %j, and the app and the lease stay', async (name, others) => {
  await start();
  await settled();
  const [before, app, client] = [ids(), running(), udhcpc()];
  named<Server>(name).exit('kill');
  await until(() => {
    const after = ids();
    expect(NAMES.filter((each) => after.get(each) === undefined)).toEqual([]);
    expect(NAMES.filter((each) => after.get(each) !== before.get(each)).sort()).toEqual(
      [name, ...others].sort(),
    );
  });
  expect([running(), udhcpc()]).toEqual([app, client]);
  expect(happened).not.toContain('release');
  expect(said).toContainEqual(expect.stringContaining('child_terminated: killed'));
});

test('a client that is there already is waited for, and no second one is started', async () => {
  await start();
  await settled();
  const client = udhcpc();
  named<Server>('dhcp eth0').exit('kill');
  await until(() => {
    const commands = readdirSync('/proc').map(commandLine);
    expect(commands).toContainEqual([heart, 'wait', String(client), '']);
  });
  expect(readFileSync(path('clients'), 'utf8')).toBe(`${client}\n`);
});

test("the app's server is killed: its process goes with it, and one other comes", async () => {
  await start();
  await settled();
  const [before, [app]] = [ids(), running()];
  named<Server>('app').exit('kill');
  await until(() => {
    expect(running()).toHaveLength(1);
    expect(running()).not.toContain(app);
    expect(states.at(-1)).toEqual({ name: 'healthy', pid: running()[0] });
  });
  const after = ids();
  expect(NAMES.filter((each) => after.get(each) !== before.get(each))).toEqual(['app']);
  expect(apps).toHaveLength(2);
});

test.each<[NodeJS.Signals, AppState['name']]>([
  ['SIGKILL', 'waiting'],
  ['SIGUSR1', 'unhealthy'],
])(
  "the app's server crashes on the app's %s (%s): one other app comes, and none stays",
  async (signal, at) => {
    let crash = true;
    await start({
      onState({ name }) {
        if (name !== at || !crash) return;
        crash = false;
        throw new TypeError('a bug of ours');
      },
    });
    await settled();
    const [app = 0] = running();
    process.kill(app, signal);
    await until(() => {
      expect(running()).toHaveLength(1);
      expect(running()).not.toContain(app);
      expect(states.at(-1)).toEqual({ name: 'healthy', pid: running()[0] });
    });
    expect(apps).toHaveLength(2);
    expect(said).toContainEqual(expect.stringMatching(/app crashed: TypeError: a bug of ours/));
  },
);

test('a service that is started anew while the disk is repaired waits for that same repair', async () => {
  const { promise: repaired, resolve } = Promise.withResolvers<DataState>();
  await start({ prepare: () => repaired });
  const { id } = named<Server>('data').process();
  named<Server>('data').exit('kill');
  await until(() => expect(named<Server>('data').find()?.id).toBeGreaterThan(id));
  // Its task is on its way when it answers.
  await named<Data>('data').call('state');
  await setImmediate();
  resolve('persistent');
  await settled();
  expect(happened.filter((each) => each === 'prepare')).toHaveLength(1);
});

test('a crash while the disk grows leaves /data mounted, and the app alone', async () => {
  let crash = true;
  await start({
    async grow() {
      if (!crash) return;
      crash = false;
      throw new TypeError('a bug of ours');
    },
  });
  await settled();
  await until(() => expect(happened.filter((each) => each === 'grow')).toHaveLength(2));
  expect(happened).not.toContain('release');
  expect(apps).toHaveLength(1);
});

test('the listener is killed: it is started again, and what came meanwhile is looked for', async () => {
  await start();
  await settled();
  const before = ids();
  const looked = happened.filter((each) => each.startsWith('find ')).length;
  process.kill(Number(readFileSync(path('tail.pid'), 'utf8')), 'SIGKILL');
  await until(() => expect(ids().get('hot-plug')).toBeGreaterThan(before.get('hot-plug') ?? 0));
  uevent({ ACTION: 'add', DEVPATH: '/devices/x', SUBSYSTEM: 'x' });
  await until(() =>
    expect(happened.filter((each) => each.startsWith('find ')).length).toBeGreaterThan(looked),
  );
  expect(NAMES.filter((each) => ids().get(each) !== before.get(each))).toEqual(['hot-plug']);
  expect(said).toContainEqual(expect.stringContaining('hot-plug: sh ended by SIGKILL'));
});

test('modules of what is plugged in are loaded together', async () => {
  await start();
  await settled();
  const device = { ACTION: 'add', DEVPATH: '/devices/usb', SUBSYSTEM: 'usb' };
  uevent({ ...device, MODALIAS: 'usb:one' });
  uevent({ ...device, MODALIAS: 'usb:two' });
  await until(() => expect(happened).toContain('modprobe -abq usb:one usb:two'));
});

test('an interface that is unplugged loses its client and its files', async () => {
  await start();
  await settled();
  const client = udhcpc() ?? 0;
  rmSync(path('sys/class/net/eth0'), { recursive: true });
  uevent({ ACTION: 'remove', DEVPATH: '/devices/net/eth0', SUBSYSTEM: 'net' });
  await until(() => {
    expect(happened).toContain('/udhcpc.script gone');
    expect(() => process.kill(client, 0)).toThrow('ESRCH');
  });
  expect(named<Server>('dhcp eth0').alive).toBe(false);
  rmSync(path('net/eth0.pid'));
});

test('the way down: the app in its own order, then /data', async () => {
  await start();
  await settled();
  await tree.stop();
  expect(states.slice(-2).map(({ name }) => name)).toEqual(['stopping', 'stopped']);
  expect(apps[0]?.exitCode).toBe(0);
  expect(happened.at(-1)).toBe('release');
  expect(udhcpc()).toBeGreaterThan(1);
});

test('what keeps crashing ends hearthd, with one reason, and /data is released', async () => {
  await start();
  await settled();
  const ended = tree.ended();
  for (let round = 0; round <= 5; round++) {
    const id = await until(() => {
      const process = named<Server>('status').process();
      process.kill('killed');
      return process.id;
    });
    expect(id).toBeGreaterThan(0);
  }
  expect(String(await ended)).toMatch(
    /'hearthd' gave up restarting its children; 'status' had ended: killed/,
  );
  expect(happened.at(-1)).toBe('release');
  expect(running()).toEqual([]);
});
