import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

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
}

export interface DhcpClient {
  stop(): void;
}

/** Between an end of udhcpc and its next start: 1, 2, 4 … 30 s, milliseconds. */
const FIRST_RETRY_MS = 1_000;
const LAST_RETRY_MS = 30_000;
/** A client that ran this long was all right: its end starts the waits anew. */
const LONG_RUN_MS = 60_000;

/**
 * Keeps a udhcpc running for an interface. The client, and with it the address, outlives hearthd: it is in a cgroup of
 * its own, has no pipe to hearthd, and a hearthd that comes back finds it by its pid file and waits for its end.
 */
export function superviseDhcp(
  name: string,
  options: DhcpOptions,
  say: (message: string) => void,
): DhcpClient {
  let waiter: ChildProcess | undefined;
  let retry: NodeJS.Timeout | undefined;
  let delay = FIRST_RETRY_MS;
  let stopped = false;

  function start(): void {
    retry = undefined;
    const running = runningClient(name, options);
    const startedAt = performance.now();
    waiter =
      running === undefined
        ? spawn(
            options.heart,
            ['exec', '--cgroup', options.cgroup, '--setsid', '--', ...clientCommand(name, options)],
            {
              stdio: 'ignore',
              env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HEARTH_NET: options.directory },
            },
          )
        : spawn(options.heart, ['wait', String(running)], { stdio: 'ignore' });
    let over = false;
    const ended = (why: string): void => {
      if (over || stopped) return;
      over = true;
      if (performance.now() - startedAt > LONG_RUN_MS) delay = FIRST_RETRY_MS;
      say(`${name}: the DHCP client ended (${why}); starting it again in ${delay / 1000} s`);
      retry = setTimeout(start, delay);
      delay = Math.min(LAST_RETRY_MS, delay * 2);
    };
    waiter.on('error', (error) => ended(error.message));
    waiter.on('exit', (code, signal) => ended(String(signal ?? code)));
  }

  start();
  return {
    stop() {
      stopped = true;
      clearTimeout(retry);
      // Of an adopted client this ends the waiting only.
      waiter?.kill('SIGTERM');
    },
  };
}

function pidFile(name: string, options: DhcpOptions): string {
  return `${options.directory}/${name}.pid`;
}

function clientCommand(name: string, options: DhcpOptions): string[] {
  return [
    ...[options.busybox, 'udhcpc', '-f', '-i', name, '-s', options.script, '-p', pidFile(name, options)],
    // Two seconds between tries, and five after a round of them: a cable plugged in late has its address soon.
    ...['-t', '4', '-T', '2', '-A', '5', '-x', `hostname:${options.hostname}`],
  ];
}

/** The pid of the client that a hearthd before this one has started, if it still runs. */
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
