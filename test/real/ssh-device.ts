/**
 * A device for fw's own ssh to talk to: OpenSSH's sshd on the loopback in Dropbear's place, whose forced command is the real
 * heart attach, which joins a session to this process, where the real engine runs on a simulated disk.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { DeviceStatus } from '../../src/device/api/status.ts';
import { FwError } from '../../src/errors.ts';
import { type Call, serveSession } from '../../src/otp/remote/session.ts';
import { type Booted, boot, type Machine } from '../../src/update/test-machine.ts';
import { encodeJson, FRAME } from '../../src/update/transfer/frame.ts';
import { refusalOf } from '../../src/update/transfer/messages.ts';
import { REBOOTING, receiveFrames } from '../../src/update/transfer/receive.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
const HEART = join(
  REPOSITORY,
  `firmware/heart/prebuilt/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}/heart`,
);
const SSHD = '/usr/sbin/sshd';

export interface SshDeviceOptions {
  machine: Machine;
  /** What becomes of a firmware on trial. */
  trial?: 'validated' | 'reverted' | 'gone';
  /** Statuses told while it is on trial, before it ends. */
  trialAnswers?: number;
  trialSeconds?: number;
}

export class SshDevice {
  readonly folder = mkdtempSync(join(tmpdir(), 'ssh-device-'));
  readonly #options: SshDeviceOptions;
  #booted: Booted;
  #sshd: ChildProcess | undefined;
  #server: Server | undefined;
  #answers = 0;
  #reachable = false;
  /** The commands that came, as they came. */
  readonly commands: string[] = [];
  /** Bytes that came in for updates. */
  received = 0;
  /** The connection is cut when so many have come. */
  cutAfter = Number.POSITIVE_INFINITY;
  port = 0;

  private constructor(options: SshDeviceOptions, booted: Booted) {
    this.#options = options;
    this.#booted = booted;
  }

  static async start(options: SshDeviceOptions): Promise<SshDevice> {
    const device = new SshDevice(options, await boot(options.machine));
    await device.#listen();
    return device;
  }

  get updater(): Booted['updater'] {
    return this.#booted.updater;
  }

  /** The configuration in which this device is the host `device`. */
  get sshConfig(): string {
    return join(this.folder, 'config');
  }

  /** A PATH on which ssh reads this device's configuration, as a user's reads theirs. */
  get path(): string {
    return `${join(this.folder, 'bin')}:${process.env.PATH}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server?.close();
    if (this.#sshd && this.#sshd.exitCode === null) {
      const gone = once(this.#sshd, 'exit');
      this.#sshd.kill();
      await gone;
    }
    rmSync(this.folder, { recursive: true });
  }

  async #listen(): Promise<void> {
    const at = (name: string): string => join(this.folder, name);
    this.#server = createServer((socket) => {
      socket.on('data', (bytes) => {
        this.received += bytes.length;
        if (this.received >= this.cutAfter) socket.destroy();
      });
      serveSession(socket, { ssh: (call) => this.#serve(call) });
    });
    this.#server.listen(at('control.sock'));
    for (const name of ['host', 'user', 'stranger'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', at(name)]);
    writeFileSync(at('authorized_keys'), readFileSync(at('user.pub')));
    this.port = await freePort();
    const { username } = userInfo();
    const lines = [
      `Port ${this.port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${at('host')}`,
      `AuthorizedKeysFile ${at('authorized_keys')}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      `ForceCommand ${HEART} attach ${at('control.sock')}`,
    ];
    writeFileSync(at('sshd_config'), `${lines.join('\n')}\n`);
    this.trustHostKey();
    const client = [
      'Host device',
      'HostName 127.0.0.1',
      `Port ${this.port}`,
      `IdentityFile ${at('user')}`,
      'IdentitiesOnly yes',
      `UserKnownHostsFile ${at('known_hosts')}`,
      'GlobalKnownHostsFile none',
    ];
    writeFileSync(this.sshConfig, `${client.join('\n')}\n`);
    mkdirSync(at('bin'));
    const ssh = execFileSync('which', ['ssh'], { encoding: 'utf8' }).trim();
    // As a user's own configuration would: OpenSSH looks for that one in the home of the password file, not in HOME.
    writeFileSync(at('bin/ssh'), `#!/bin/sh\nexec ${ssh} -F ${this.sshConfig} "$@"\n`);
    chmodSync(at('bin/ssh'), 0o755);
    // Root's sshd wants its folder, which only an installed service would have made.
    if (username === 'root') mkdirSync('/run/sshd', { recursive: true });
    this.#sshd = spawn(SSHD, ['-D', '-e', '-f', at('sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
    await listening(this.#sshd);
  }

  trustHostKey(key = 'host'): void {
    const [type, base64] = readFileSync(join(this.folder, `${key}.pub`), 'utf8').split(' ');
    writeFileSync(join(this.folder, 'known_hosts'), `[127.0.0.1]:${this.port} ${type} ${base64}\n`);
  }

  forgetHostKey(): void {
    writeFileSync(join(this.folder, 'known_hosts'), '');
  }

  async #serve(call: Call): Promise<number> {
    const [command = ''] = call.argv;
    this.commands.push(command);
    try {
      switch (command.split(' ')[0]) {
        case 'status':
          return await this.#status(call);
        case 'update':
          return await this.#update(call);
        case 'reachable':
          this.#reachable = true;
          return 0;
        case 'validate':
          await this.updater.validate('somebody said so');
          return 0;
        case 'reboot':
          return 0;
        default:
          throw new FwError('no-such-verb', `this device knows no '${command}'`);
      }
    } catch (error) {
      call.output.write(`${JSON.stringify({ error: refusalOf(error) })}\n`);
      return 1;
    }
  }

  async #update({ input, output }: Call): Promise<number> {
    try {
      await receiveFrames(input, this.updater, 'ssh', (bytes) => output.write(bytes));
      await this.updater.try();
      output.write(REBOOTING);
    } catch (error) {
      output.write(encodeJson(FRAME.refused, refusalOf(error)));
      return 1;
    }
    this.#booted = await boot(this.#options.machine);
    return 0;
  }

  async #status({ output }: Call): Promise<number> {
    const { updater, slot } = this.#booted;
    const { trial } = this.#options;
    if (updater.trial && trial === 'gone') return 69;
    if (updater.trial && this.#reachable && ++this.#answers > (this.#options.trialAnswers ?? 1)) {
      if (trial === 'validated') await updater.validate('healthy for 1 s');
      if (trial === 'reverted') {
        await updater.revert('the app has failed');
        this.#booted = await boot(this.#options.machine);
        return this.#status({ output } as Call);
      }
    }
    const { running, record, state } = this.updater;
    if (!running) throw new Error('nothing is known of the slot that runs');
    const { product, version, uuid, target } = running;
    const status: DeviceStatus = {
      ...{ product, version, uuid, target, slot: this.#booted.slot, state },
      ...(this.updater.trial
        ? { trial: { secondsLeft: 10, reachable: this.#reachable, healthy: true } }
        : {}),
      update: { healthySeconds: 1, trialSeconds: this.#options.trialSeconds ?? 10, validate: 'auto' },
      slots: {},
      ...(record.last ? { last: record.last } : {}),
      app: { name: 'healthy' },
      data: 'persistent',
      network: {},
      uptimeSeconds: 1,
      resetCause: `test, slot ${slot}`,
    };
    output.write(`${JSON.stringify(status)}\n`);
    return 0;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** sshd says that it listens. It ends instead when its configuration is wrong. */
async function listening(sshd: ChildProcess): Promise<void> {
  let said = '';
  await new Promise<void>((resolve, reject) => {
    sshd.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('Server listening')) resolve();
    });
    sshd.once('error', reject);
    sshd.once('exit', () => reject(new Error(`sshd ended: ${said}`)));
  });
}
