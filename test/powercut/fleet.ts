import { execFileSync, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type FirmwareFile, openFirmware } from '../../src/archive/index.ts';
import type { BuildResult } from '../../src/build/firmware.ts';
import { type DeviceStatus, parseStatus } from '../../src/device/api/status.ts';
import type { Machine } from '../../src/host/machine.ts';
import { SshLink } from '../../src/links/ssh/ssh-link.ts';
import { sendUpdate } from '../../src/update/transfer/send.ts';
import { buildApp } from '../firmware.ts';
import type { Board } from './board.ts';

export const BOOT = { timeoutMs: 240_000 };
export const READY = /\[hearth\] ready /;

/** An emulated machine on a loaded computer must get through a boot in the time of a trial. */
const RULES = { healthySeconds: 1, trialSeconds: 280 } as const;
/** From the ready line to a host key that was made and an SSH server that listens. */
const SSH_UP_MS = 120_000;

/** A firmware, and whether a person has to make it permanent. */
export type Built = BuildResult & { byHand: boolean };

export interface Answer {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** The keys of one product, its firmware, and the ways to its devices: plain OpenSSH, and what `fw upload` does. */
export class Fleet {
  readonly folder: string;
  readonly #board: Board;
  readonly #firmware = new Map<string, Built>();

  constructor(folder: string, board: Board) {
    this.folder = folder;
    this.#board = board;
    for (const name of ['update', 'login'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', `${folder}/${name}`]);
  }

  async build(version: string, validate: 'auto' | 'manual'): Promise<void> {
    const line = async (name: string): Promise<string> =>
      (await readFile(`${this.folder}/${name}.pub`, 'utf8')).trim();
    const source = `import { run } from 'hearthfw';\nrun(() => void console.log('app ${version}'));\n`;
    const built = await buildApp(source, this.#board.target, `${this.folder}/${version}`, {
      ...{ version, update: { ...RULES, validate }, sshKeys: [await line('login')] },
      ...{ updateKeys: [await line('update')], signingKey: `${this.folder}/update` },
    });
    this.#firmware.set(version, { ...built, byHand: validate === 'manual' });
  }

  firmware(version: string): Built {
    const firmware = this.#firmware.get(version);
    if (!firmware) throw new Error(`no firmware ${version}`);
    return firmware;
  }

  /** @param onError told what the device says while it works */
  async ssh(
    machine: Machine,
    command: string,
    input?: string,
    onError?: (text: string) => void,
  ): Promise<Answer> {
    const child = spawn('ssh', [
      ...['-F', 'none', '-p', String(machine.portOf(22)), ...this.#options],
      ...['root@127.0.0.1', command],
    ]);
    const answer: Answer = { status: null, stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (text: string) => {
        answer[name] += text;
        if (name === 'stderr') onError?.(text);
      });
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    // The machine may lose its power meanwhile; a session without an answer would wait for it for long.
    void machine.exited.then(() => child.kill());
    if (input === undefined) child.stdin.end();
    else await pipeline(createReadStream(input), child.stdin).catch(() => {});
    answer.status = await ended;
    return answer;
  }

  /**
   * Sends a firmware as `fw upload` does: what the device lacks, as differences to what runs there.
   * @param onChecked told the share of the slot that was read back
   */
  async send(machine: Machine, version: string, onChecked?: (share: number) => void): Promise<void> {
    const link = new SshLink(`127.0.0.1:${machine.portOf(22)}`, { extra: ['-F', 'none', ...this.#options] });
    const session = link.open(['update', '--frames']);
    void machine.exited.then(() => session.close());
    const fw = await this.#open(version);
    try {
      await sendUpdate(fw, session, {
        findOld: (uuid) => this.#find(uuid),
        onProgress: ({ done, total }) => onChecked?.(done / total),
      });
    } finally {
      session.close();
      await fw.close();
    }
  }

  /** Waits until the device's SSH server greets, and leaves again. */
  async listens(machine: Machine): Promise<void> {
    for (const deadline = performance.now() + SSH_UP_MS; ; await delay(250)) {
      const socket = connect(machine.portOf(22), '127.0.0.1');
      const greeting = await new Promise<string>((resolve) => {
        socket.on('data', (bytes) => resolve(bytes.toString('latin1')));
        socket.on('error', (error) => resolve(error.message)).on('close', () => resolve('nothing'));
      });
      socket.destroy();
      if (greeting.startsWith('SSH-2.0-')) return;
      if (performance.now() > deadline) throw new Error(`no SSH server: ${greeting}`);
    }
  }

  async status(machine: Machine): Promise<DeviceStatus> {
    return parseStatus(await this.must(machine, 'status --json'));
  }

  /** @returns what the device answered */
  async must(machine: Machine, command: string, input?: string): Promise<string> {
    const { status, stdout, stderr } = await this.ssh(machine, command, input);
    if (status !== 0) throw new Error(`ssh ${command} ended with ${status}: ${stdout}${stderr}`);
    return stdout;
  }

  get #options(): string[] {
    return [
      ...['-i', `${this.folder}/login`],
      // Whose first boot is cut may be another device at its second one.
      ...['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'BatchMode=yes'],
      ...['IdentitiesOnly=yes', 'IdentityAgent=none', 'ConnectTimeout=60'],
    ].flatMap((option, n) => (n < 2 ? [option] : ['-o', option]));
  }

  #open(version: string): Promise<FirmwareFile> {
    return openFirmware(this.firmware(version).path, { trust: 'self' });
  }

  async #find(uuid: string): Promise<FirmwareFile | undefined> {
    const [version] = [...this.#firmware].find(([, built]) => built.uuid === uuid) ?? [];
    return version === undefined ? undefined : this.#open(version);
  }
}

/** Waits for the trial boot, and for its app. */
export async function onTrial(machine: Machine, version: string): Promise<void> {
  // In either order.
  const seen = (what: string | RegExp) => machine.console.waitFor(what, { ...BOOT, take: false });
  await Promise.all([seen(`[hearth] on trial: ${version}`), seen(READY)]);
}

/** Makes the system on trial permanent: by hand where it waits for that, or by coming to it. */
export async function validate(fleet: Fleet, machine: Machine, version: string): Promise<void> {
  const { uuid, byHand } = fleet.firmware(version);
  await fleet.must(machine, byHand ? 'validate' : `reachable ${uuid}`);
  await machine.console.waitFor(`[hearth] validated: ${version}`, BOOT);
}
