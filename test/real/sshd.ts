/** OpenSSH's server on the loopback, with keys of its own, for the user who runs the tests: in the place of a device's Dropbear. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';

const SSHD = '/usr/sbin/sshd';

export class Sshd {
  /** Holds `host`, `user` and `stranger`, key pairs; `authorized_keys`, `known_hosts`, `config`. */
  readonly folder: string;
  readonly port: number;
  readonly #process: ChildProcess;

  private constructor(folder: string, port: number, process: ChildProcess) {
    this.folder = folder;
    this.port = port;
    this.#process = process;
  }

  /** @param forcedCommand what every session is, whatever it asks for */
  static async start(folder: string, forcedCommand: string): Promise<Sshd> {
    const at = (name: string): string => join(folder, name);
    for (const name of ['host', 'user', 'stranger'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', at(name)]);
    writeFileSync(at('authorized_keys'), readFileSync(at('user.pub')));
    const port = await freePort();
    const server = [
      ...[`Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${at('host')}`, 'PidFile none'],
      ...[`AuthorizedKeysFile ${at('authorized_keys')}`, 'StrictModes no', 'UsePAM no'],
      ...['PasswordAuthentication no', 'KbdInteractiveAuthentication no'],
      `ForceCommand ${forcedCommand}`,
    ];
    writeFileSync(at('sshd_config'), `${server.join('\n')}\n`);
    const client = [
      ...['Host device', 'HostName 127.0.0.1', `Port ${port}`],
      ...[`IdentityFile ${at('user')}`, 'IdentitiesOnly yes'],
      ...[`UserKnownHostsFile ${at('known_hosts')}`, 'GlobalKnownHostsFile none'],
    ];
    writeFileSync(at('config'), `${client.join('\n')}\n`);
    mkdirSync(at('bin'));
    const ssh = execFileSync('which', ['ssh'], { encoding: 'utf8' }).trim();
    // As a user's own configuration would: OpenSSH looks for that one in the home of the password file, not in HOME.
    writeFileSync(at('bin/ssh'), `#!/bin/sh\nexec ${ssh} -F ${at('config')} "$@"\n`);
    chmodSync(at('bin/ssh'), 0o755);
    // Root's sshd wants its folder, which only an installed service would have made.
    if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true });
    const process = spawn(SSHD, ['-D', '-e', '-f', at('sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await listening(process);
    const started = new Sshd(folder, port, process);
    started.trustHostKey();
    return started;
  }

  /** The configuration in which this server is the host `device`. */
  get config(): string {
    return join(this.folder, 'config');
  }

  /** A PATH on which ssh reads that configuration, as a user's reads theirs. */
  get path(): string {
    return `${join(this.folder, 'bin')}:${process.env.PATH}`;
  }

  trustHostKey(key = 'host'): void {
    const [type, base64] = readFileSync(join(this.folder, `${key}.pub`), 'utf8').split(' ');
    writeFileSync(join(this.folder, 'known_hosts'), `[127.0.0.1]:${this.port} ${type} ${base64}\n`);
  }

  forgetHostKey(): void {
    writeFileSync(join(this.folder, 'known_hosts'), '');
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill();
    await gone;
  }
}

export async function freePort(): Promise<number> {
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
