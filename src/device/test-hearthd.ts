/** For tests only: all of hearthd, over a kernel made of files: /sys, /dev, the uevents. The app, the DHCP client and the listener are programs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, vi } from 'vitest';
import type { DataState } from '../otp/device.ts';
import { logging, named, type Server } from '../otp/index.ts';
import { encodeFrame, FRAME, type Frame, FrameReader } from '../otp/remote/frame.ts';
import { encodeRequest } from '../otp/remote/request.ts';
import { type SupervisedApp, supervisedApp } from '../otp/supervisor/supervised-app.ts';
import { firmware, flashed, signer } from '../update/test-machine.ts';
import { SimulatedDisk } from '../update/test-simulated-disk.ts';
import { deviceOf } from './api/services.ts';
import type { AppState } from './app/runner.ts';
import { parseBootInfo } from './boot-info.ts';
import { Onlookers } from './dev/onlookers.ts';
import type { Result } from './exec.ts';
import type { FirmwareInfo } from './firmware-info.ts';
import { DeviceIdentity } from './identity.ts';
import { sayReports } from './reports.ts';
import { type HearthdEffects, type HearthdOptions, hearthd } from './tree.ts';

export const HEART = fileURLToPath(
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

/** The names of all that runs. */
export const NAMES = [
  ...['data', 'dhcp', 'dhcp eth0', 'network', 'devices', 'hot-plug'],
  ...['update', 'ssh', 'mdns', 'control socket', 'app', 'status', 'data watch'],
];

export interface Changes {
  prepare?(onSlow: () => void): Promise<DataState>;
  underWay?: Promise<void>;
  grow?(): Promise<void>;
  onState?(state: AppState): void;
}

export const until = <T>(look: () => T): Promise<T> => vi.waitFor(look, { timeout: 30_000, interval: 20 });

export class TestHearthd {
  readonly folder: string;
  readonly disk: SimulatedDisk;
  readonly onlookers = new Onlookers();
  /** Each that was let go, in order. */
  readonly apps: ChildProcess[] = [];
  /** Held while another runs. */
  readonly asides: ChildProcess[] = [];
  readonly states: AppState[] = [];
  /** What it had done by others: programs that it ran, and /data, reboots and the like in words. */
  readonly happened: string[] = [];
  /** What was logged. */
  readonly said: string[] = [];
  readonly #stopSaying: () => void;
  #tree: SupervisedApp | undefined;

  private constructor(disk: SimulatedDisk) {
    this.disk = disk;
    this.folder = mkdtempSync(join(tmpdir(), 'hearth-tree-'));
    for (const name of ['sys', 'dev', 'net', 'cgroup', 'sys/class/net/eth0/device'])
      mkdirSync(this.path(name), { recursive: true });
    writeFileSync(this.path('sys/class/net/eth0/type'), '1\n');
    for (const name of ['cgroup/cgroup.procs', 'uevents', 'hostname']) writeFileSync(this.path(name), '');
    writeFileSync(this.path('app.cjs'), APP);
    writeFileSync(this.path('busybox'), UDHCPC, { mode: 0o755 });
    this.#stopSaying = sayReports();
    logging.addBackend('console', { write: (line) => this.said.push(line) });
  }

  /** On a disk with a firmware. Nothing is started. */
  static async make(): Promise<TestHearthd> {
    return new TestHearthd(new SimulatedDisk(await flashed('gpt', await firmware(0))));
  }

  get tree(): SupervisedApp {
    if (!this.#tree) throw new Error('it was not started');
    return this.#tree;
  }

  async end(): Promise<void> {
    await this.#tree?.stop();
    this.#stopSaying();
    const client = this.udhcpc();
    if (client !== undefined) process.kill(client, 'SIGKILL');
    rmSync(this.folder, { recursive: true });
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  uevent(values: Record<string, string>): void {
    const lines = Object.entries({ ...values, SEQNUM: '1' }).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(this.path('uevents'), lines.join(''), { flag: 'a' });
  }

  async start(changes: Changes = {}): Promise<void> {
    this.#tree = supervisedApp(hearthd(this.#options(), this.#effects(changes)));
    await this.#tree.start();
  }

  /** Everything runs, and has nothing more to do. */
  async settled(): Promise<void> {
    await until(() => {
      expect([...this.ids()].filter(([, id]) => id === undefined)).toEqual([]);
      expect(this.states.at(-1)?.name).toBe('healthy');
      expect(this.udhcpc()).toBeGreaterThan(1);
      expect(this.happened).toContain('grow');
    });
  }

  ids(): Map<string, number | undefined> {
    return new Map(NAMES.map((name) => [name, named<Server>(name).find()?.id]));
  }

  /** Of apps. */
  running(): number[] {
    return this.apps.flatMap(({ pid, exitCode, signalCode }) =>
      pid && exitCode === null && !signalCode ? [pid] : [],
    );
  }

  /** The DHCP client's process. */
  udhcpc(): number | undefined {
    const file = this.path('net/eth0.pid');
    return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
  }

  /** What a session on the control socket is told. */
  async ask(line: string): Promise<Frame[]> {
    const socket = createConnection(this.path('control.sock'));
    socket.write(
      encodeFrame(FRAME.request, encodeRequest({ verb: 'ssh', argv: [line], terminal: undefined })),
    );
    return new FrameReader().push(Buffer.concat(await socket.toArray())) ?? [];
  }

  /** The value in it. */
  async value(line: string): Promise<unknown> {
    const output = (await this.ask(line)).filter(({ type }) => type === FRAME.output);
    return JSON.parse(Buffer.concat(output.map(({ payload }) => payload)).toString());
  }

  #effects({ prepare, underWay = Promise.resolve(), grow, onState }: Changes): HearthdEffects {
    const exec = async (program: string, args: readonly string[]): Promise<Result> => {
      this.happened.push([program.replace(this.folder, ''), ...args].join(' ').replaceAll(this.folder, ''));
      if (program === 'dropbearkey') writeFileSync(args[3] ?? '', 'a host key');
      const none = { signal: undefined, stderr: '', failure: undefined, timedOut: false };
      return { code: 0, stdout: '', ...none };
    };
    const identity = new DeviceIdentity(async () => this.disk, 'pi-17');
    return {
      exec,
      data: (onSlow) => ({
        underWay,
        prepare: async () => {
          this.happened.push('prepare');
          return (await prepare?.(onSlow)) ?? 'persistent';
        },
        grow: async () => {
          this.happened.push('grow');
          await grow?.();
        },
        release: async () => void this.happened.push('release'),
      }),
      app: {
        hold: (aside = false) => {
          const child = spawn(process.execPath, [this.path('app.cjs')], {
            stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
          });
          child.on('error', () => {});
          (aside ? this.asides : this.apps).push(child);
          return child;
        },
        letGo: (child, data) => {
          if (this.asides.includes(child)) this.apps.push(child);
          this.happened.push(`app with ${data} data`);
          child.stdin?.end();
        },
        killAll: () => {
          for (const app of this.apps) app.kill('SIGKILL');
        },
        now: () => performance.now(),
        onState: (state) => {
          this.states.push(state);
          onState?.(state);
        },
        onOutput: () => {},
      },
      onlookers: this.onlookers,
      disk: async () => this.disk,
      identity,
      links: () => [],
      update: {
        oneShot: { arm: async (slot) => void this.happened.push(`arm ${slot}`) },
        now: () => performance.now(),
        date: () => new Date(),
        firstOfBoot: () => true,
        reboot: (reason) => void this.happened.push(`reboot: ${reason}`),
      },
      device: deviceOf(INFO, BOOT, {
        ...{ onlookers: this.onlookers, identity },
        now: () => performance.now(),
        goDown: (how, reason) => void this.happened.push(`${how}: ${reason}`),
      }),
    };
  }

  #options(): HearthdOptions {
    return {
      data: this.path('data'),
      network: {
        ...{
          heart: HEART,
          busybox: this.path('busybox'),
          script: this.path('udhcpc.script'),
          directory: this.path('net'),
        },
        ...{ cgroup: this.path('cgroup'), hostname: 'box', hostnameFile: this.path('hostname'), dhcp: true },
        sys: this.path('sys'),
      },
      devices: {
        listener: {
          command: 'sh',
          args: ['-c', `echo $$ >${this.path('tail.pid')}; exec tail -n +1 -f ${this.path('uevents')}`],
        },
        ...{ sys: this.path('sys'), dev: this.path('dev') },
      },
      app: {
        ...{ beatTimeoutMs: 60_000, startTimeoutMs: 60_000, stopTimeoutMs: 10_000 },
        ...{ maxRestarts: 5, restartWindowMs: 60_000 },
      },
      status: this.path('status.json'),
      control: this.path('control.sock'),
      update: {
        ...{ table: 'gpt', booted: BOOT.slot, resetCause: BOOT.resetCause },
        ...{ trustedKeys: [signer.publicKey], versionFloor: undefined, version: INFO.version },
        device: { product: INFO.product, target: INFO.target, arch: 'aarch64' },
        rules: INFO.update,
      },
      ssh: { folder: this.path('ssh'), dropbearkey: 'dropbearkey', authorizedKeys: [] },
      presence: { product: INFO.product, version: INFO.version, uuid: INFO.uuid, target: INFO.target },
    };
  }
}

/** Of a process, by its folder's name in /proc. */
export function commandLine(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    // It has ended since /proc was read, or never was a process.
    return [];
  }
}
