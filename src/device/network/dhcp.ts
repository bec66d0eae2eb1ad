import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { PortError, Server } from '../../otp/index.ts';
import { wiredInterfaces } from './interfaces.ts';

export interface DhcpOptions {
  /** heart's own path, for `exec` and `wait`. */
  heart: string;
  busybox: string;
  /** The script that udhcpc runs at each event. */
  script: string;
  /** Where pid files and leases are. */
  directory: string;
  cgroup: string;
  hostname: string;
  sys?: string;
}

/**
 * One udhcpc, for one interface. The client, and with it the address, outlives hearthd: it is in a cgroup of its own, has
 * no pipe to hearthd, and a hearthd that comes back finds it by its pid file and waits for its end. A port would do
 * the opposite: what it starts never outlives who started it.
 */
export class DhcpClient extends Server {
  #stillThere = (): boolean => true;
  #child: ChildProcess | undefined;

  override init(name: string, options: DhcpOptions): void {
    this.#stillThere = () => wiredInterfaces(options.sys).includes(name);
    const running = runningClient(name, options);
    const child = running === undefined ? startClient(name, options) : waitForClient(running, options);
    this.#child = child;
    child.on('error', ({ message }) => this.stop(new PortError('port-start', message)));
    child.on('exit', (code, signal) => {
      this.stop(new PortError('port-exit', `the DHCP client ended (${signal ?? code})`));
    });
  }

  /** The client goes with its interface only; of one that was found running, this ends the waiting. */
  override terminate(): void {
    if (!this.#stillThere()) this.#child?.kill('SIGTERM');
  }
}

function startClient(name: string, options: DhcpOptions): ChildProcess {
  const command = [
    ...[options.busybox, 'udhcpc', '-f', '-i', name, '-s', options.script, '-p', pidFile(name, options)],
    // Two seconds between tries, and five after a round of them: a cable plugged in late has its address soon.
    ...['-t', '4', '-T', '2', '-A', '5', '-x', `hostname:${options.hostname}`],
  ];
  return spawn(options.heart, ['exec', '--cgroup', options.cgroup, '--setsid', '--', ...command], {
    stdio: 'ignore',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HEARTH_NET: options.directory },
  });
}

function waitForClient(pid: number, { heart }: DhcpOptions): ChildProcess {
  return spawn(heart, ['wait', String(pid)], { stdio: 'ignore' });
}

function pidFile(name: string, options: DhcpOptions): string {
  return `${options.directory}/${name}.pid`;
}

/** The pid of the client that was started before, by this hearthd or another, if it still runs. */
export function runningClient(name: string, options: DhcpOptions, proc = '/proc'): number | undefined {
  try {
    const pid = Number(readFileSync(pidFile(name, options), 'latin1'));
    if (!Number.isInteger(pid) || pid <= 1) return undefined;
    // The number may have gone to another process by now.
    const args = readFileSync(`${proc}/${pid}/cmdline`, 'latin1').split('\0');
    return args.includes('udhcpc') && args.includes(name) ? pid : undefined;
  } catch {
    // No pid file, or no such process.
    return undefined;
  }
}
