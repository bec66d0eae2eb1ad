/**
 * A device for fw's own ssh to talk to: OpenSSH's sshd on the loopback in Dropbear's place, whose forced command is the real
 * heart attach, which joins a session to this process: hearthd's own verbs and update service, with a simulated disk.
 */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Device } from '../../src/device/api/device.ts';
import { hostnameOf } from '../../src/device/api/hostname.ts';
import { keysOf } from '../../src/device/api/keys.ts';
import { serveSsh } from '../../src/device/api/session.ts';
import type { DeviceStatus } from '../../src/device/api/status.ts';
import type { AppState } from '../../src/device/app/runner.ts';
import type { Development } from '../../src/device/dev/development.ts';
import { DeviceIdentity } from '../../src/device/identity.ts';
import { authorizedLines } from '../../src/device/ssh/operator-keys.ts';
import { Update } from '../../src/device/update/server.ts';
import { type ServerRef, start } from '../../src/otp/index.ts';
import { EnvStore } from '../../src/update/env.ts';
import type { SlotRecord } from '../../src/update/record.ts';
import { bootSlot, flashed, type Machine, signer } from '../../src/update/test-machine.ts';
import { SimulatedDisk } from '../../src/update/test-simulated-disk.ts';
import { Sshd } from './sshd.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
export const HEART = join(
  REPOSITORY,
  `firmware/heart/prebuilt/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}/heart`,
);

export interface SshDeviceOptions {
  /** Whether the app of a firmware comes up, by its version; undefined: the whole machine does not. The default is that all do. */
  app?(version: string): AppState | undefined;
  rules?: Partial<DeviceStatus['update']>;
  /** A device on a desk. */
  development?: Development;
}

const HEALTHY: AppState = { name: 'healthy', pid: 1 };
/** Statuses are asked for every second: the trial is to be seen. */
const RULES: DeviceStatus['update'] = { healthySeconds: 0.5, trialSeconds: 60, validate: 'auto' };

/** One boot of it. */
interface Life {
  slot: DeviceStatus['slot'];
  firmware: SlotRecord;
  updates: ServerRef<Update>;
  device: Device;
}

export class SshDevice {
  readonly folder = mkdtempSync(join(tmpdir(), 'ssh-device-'));
  readonly #options: SshDeviceOptions;
  readonly #machine: Machine;
  #life: Life | undefined;
  #sshd: Sshd | undefined;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  /** What hearthd wrote. */
  readonly log: string[] = [];
  /** Bytes that have come in. */
  received = 0;
  /** The connection is cut when so many have come. */
  cutAfter = Number.POSITIVE_INFINITY;

  private constructor(options: SshDeviceOptions, machine: Machine) {
    this.#options = options;
    this.#machine = machine;
  }

  /** @param fw what it was flashed with */
  static async start(fw: Buffer, options: SshDeviceOptions = {}): Promise<SshDevice> {
    const machine = { family: 'gpt' as const, pages: await flashed('gpt', fw), armed: undefined };
    const device = new SshDevice(options, machine);
    await device.#boot();
    await device.#listen();
    return device;
  }

  status(): Promise<DeviceStatus> {
    if (!this.#life) throw new Error('it is down');
    return this.#life.device.status();
  }

  /** The server that leads to it. */
  get sshd(): Sshd {
    if (!this.#sshd) throw new Error('it does not listen yet');
    return this.#sshd;
  }

  /** hearthd dies. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    this.#server?.close();
    if (this.#life) await switchOff(this.#life);
    await this.#sshd?.stop();
    rmSync(this.folder, { recursive: true });
  }

  async #listen(): Promise<void> {
    const path = join(this.folder, 'control.sock');
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('data', (bytes) => {
        this.received += bytes.length;
        if (this.received >= this.cutAfter) socket.destroy();
      });
      // A machine that is down answers nobody.
      if (this.#life) serveSsh(socket, this.#life.device);
      else socket.destroy();
    });
    this.#server.listen(path);
    await once(this.#server, 'listening');
    this.#sshd = await Sshd.start(this.folder, `${HEART} attach ${path}`);
  }

  /** What the boot loader and hearthd do. */
  async #boot(): Promise<void> {
    const { pages, family } = this.#machine;
    const slot = bootSlot(this.#machine);
    const firmware = (await EnvStore.open(new SimulatedDisk(pages))).record.slots[slot];
    if (!firmware) throw new Error(`nothing is known of slot ${slot}`);
    const { version, product, target, uuid } = firmware;
    const app = this.#options.app ? this.#options.app(version) : HEALTHY;
    if (!app) {
      await this.#sshd?.stop();
      return;
    }
    const rules = { ...RULES, ...this.#options.rules };
    const born = performance.now();
    const now = (): number => performance.now() - born;
    const down = (): void => void this.#reboot().catch((error: unknown) => this.log.push(String(error)));
    const updates = await start(Update, {
      args: [
        {
          ...{ table: family, booted: slot, resetCause: 'reboot: signal 15', version, rules },
          trustedKeys: [signer.publicKey],
          device: { product, target, arch: 'aarch64' },
          versionFloor: undefined,
        },
        {
          disk: async () => new SimulatedDisk(pages),
          oneShot: {
            arm: async (wanted) => {
              this.#machine.armed = wanted;
            },
          },
          ...{ now, date: () => new Date(), firstOfBoot: () => true, reboot: down, turn: Promise.resolve() },
          say: (line) => void this.log.push(line),
          appState: async () => app,
          appHeard: async () => now(),
        },
      ],
    });
    const identity = new DeviceIdentity(async () => new SimulatedDisk(pages), 'pi-17');
    const at = (name: string): string => join(this.folder, name);
    const device: Device = {
      get keys() {
        const firmware = [readFileSync(at('user.pub'), 'utf8').trim()];
        return keysOf(firmware, identity, async () => {
          const lines = authorizedLines(firmware, await identity.read());
          writeFileSync(at('authorized_keys'), lines.map((line) => `${line}\n`).join(''));
        });
      },
      hostname: hostnameOf(product, identity, (name) => void this.log.push(`called ${name}`)),
      ...{ product, version, uuid, goDown: down, development: this.#options.development },
      async status() {
        const { slots: _, trial, last, floor, state } = await updates.call('status');
        return {
          ...{ product, version, uuid, target, slot, state, update: rules, slots: {} },
          ...(trial && { trial }),
          ...(last && { last }),
          ...(floor !== undefined && { floor }),
          ...{ app, data: 'persistent', network: {} },
          ...{ uptimeSeconds: now() / 1000, resetCause: 'reboot: signal 15' },
        };
      },
      updates: {
        receive: (incoming) => updates.within(Infinity).call('receive', incoming),
        try: () => updates.call('try'),
        validate: (reason) => updates.call('validate', reason),
        revert: (reason) => updates.call('revert', reason),
        reached: (via) => updates.cast('reached', via),
      },
      forgetData: async () => {},
    };
    this.#life = { slot, firmware, updates, device };
  }

  async #reboot(): Promise<void> {
    const before = this.#life;
    if (!before) return;
    this.#life = undefined;
    await switchOff(before);
    await this.#boot();
  }
}

async function switchOff({ updates }: Life): Promise<void> {
  updates.exit('kill');
  await updates.ended();
}
