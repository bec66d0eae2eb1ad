import { execFileSync, spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { BuildResult } from '../../src/build/firmware.ts';
import { type DeviceStatus, parseStatus } from '../../src/device/api/status.ts';
import type { Machine } from '../../src/host/machine.ts';
import { buildApp } from '../firmware.ts';

/** An emulated machine on a loaded computer must get through a boot in the time of a trial. */
const RULES = { healthySeconds: 2, trialSeconds: 280 } as const;
/** From the ready line to a host key that was made and an SSH server that listens. */
const SSH_UP_MS = 120_000;
/** What ssh exits with when it did not get as far as the command. */
const SSH_FAILED = 255;

export interface Answer {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** The keys of one product, its firmware, and the way to its devices: plain OpenSSH. */
export class Fleet {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    for (const name of ['update', 'login'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', `${folder}/${name}`]);
  }

  async build(version: string, validate: 'auto' | 'manual'): Promise<BuildResult> {
    const line = async (name: string): Promise<string> =>
      (await readFile(`${this.folder}/${name}.pub`, 'utf8')).trim();
    const source = `import { run } from 'hearthfw';\nrun(() => void console.log('app ${version}'));\n`;
    return buildApp(source, 'x86_64', `${this.folder}/${version}`, {
      ...{ version, update: { ...RULES, validate }, sshKeys: [await line('login')] },
      ...{ updateKeys: [await line('update')], signingKey: `${this.folder}/update` },
    });
  }

  /** @param onError told what the device says while it works */
  async ssh(
    machine: Machine,
    command: string,
    input?: string,
    onError?: (text: string) => void,
  ): Promise<Answer> {
    const child = spawn('ssh', [
      ...['-F', 'none', '-i', `${this.folder}/login`, '-p', String(machine.portOf(22))],
      // Whose first boot is cut may be another device at its second one.
      ...['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'].flatMap((o) => [
        '-o',
        o,
      ]),
      ...['BatchMode=yes', 'IdentitiesOnly=yes', 'IdentityAgent=none', 'ConnectTimeout=60'].flatMap((o) => [
        '-o',
        o,
      ]),
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

  /** Waits until the device's SSH server greets, and leaves again. */
  async listens(machine: Machine): Promise<void> {
    for (const deadline = performance.now() + SSH_UP_MS; ; await delay(500)) {
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

  /** Waits until the device answers. */
  async status(machine: Machine): Promise<DeviceStatus> {
    for (const deadline = performance.now() + SSH_UP_MS; ; await delay(500)) {
      const { status, stdout, stderr } = await this.ssh(machine, 'status --json');
      if (status === 0) return parseStatus(stdout);
      if (status !== SSH_FAILED || performance.now() > deadline)
        throw new Error(`ssh status ended with ${status}: ${stdout}${stderr}`);
    }
  }

  async must(machine: Machine, command: string, input?: string): Promise<void> {
    const { status, stdout, stderr } = await this.ssh(machine, command, input);
    if (status !== 0) throw new Error(`ssh ${command} ended with ${status}: ${stdout}${stderr}`);
  }
}
