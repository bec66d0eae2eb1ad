import { type FSWatcher, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { describe, type Exec } from '../exec.ts';
import { type DhcpClient, type DhcpOptions, superviseDhcp } from './dhcp.ts';
import { wiredInterfaces } from './interfaces.ts';
import { type Lease, parseLease } from './lease.ts';

export interface NetworkEffects {
  exec: Exec;
  say(message: string): void;
  /** A lease came, changed or went. */
  onChange(): void;
}

export interface NetworkOptions extends DhcpOptions {
  dhcp: boolean;
  sys?: string;
}

export interface Network {
  /** Looks at which interfaces there are, starts and stops their clients. */
  refresh(): void;
  /** By interface. */
  leases(): ReadonlyMap<string, Lease>;
  stop(): void;
}

/** Every wired interface gets an address, now or when it is plugged in. */
export function createNetwork(options: NetworkOptions, effects: NetworkEffects): Network {
  const { say, onChange } = effects;
  const clients = new Map<string, DhcpClient>();
  const leases = new Map<string, Lease>();
  let watcher: FSWatcher | undefined;

  setHostname(options.hostname, say);
  if (options.dhcp) {
    try {
      watchLeases();
    } catch (error) {
      // /run is full, or out of inotify watches: addresses come all the same, only nobody hears of them.
      say(`the leases cannot be watched: ${String(error)}`);
    }
  }

  /** The files are how the clients' scripts report, because they must not depend on hearthd being there. */
  function watchLeases(): void {
    mkdirSync(options.directory, { recursive: true });
    watcher = watch(options.directory, (_, file) => {
      if (file?.endsWith('.lease')) readLease(file);
    });
    watcher.on('error', (error) => say(`the leases are no longer watched: ${error.message}`));
    for (const file of readdirSync(options.directory)) if (file.endsWith('.lease')) readLease(file);
  }

  function readLease(file: string): void {
    const name = file.slice(0, -'.lease'.length);
    let lease: Lease | undefined;
    try {
      lease = parseLease(readFileSync(`${options.directory}/${file}`, 'utf8'));
    } catch {
      // Replaced at this moment; its own event follows.
      return;
    }
    if (!lease) return;
    const before = leases.get(name);
    leases.set(name, lease);
    if (before?.address !== lease.address) {
      say(lease.address ? `${name}: ${lease.address}` : `${name}: no address (${lease.event})`);
    }
    onChange();
  }

  /** Its name servers would still be asked. By the script, so that one program writes those files. */
  async function forget(name: string): Promise<void> {
    const env = { interface: name, HEARTH_NET: options.directory };
    const result = await effects.exec(options.script, ['gone'], { env });
    if (result.code !== 0) say(`${name}: ${describe(options.script, result)}`);
  }

  return {
    refresh() {
      if (!options.dhcp) return;
      const there = new Set(wiredInterfaces(options.sys));
      for (const name of new Set([...clients.keys(), ...leases.keys()])) {
        if (there.has(name)) continue;
        clients.get(name)?.stop();
        clients.delete(name);
        leases.delete(name);
        onChange();
        forget(name).catch((error: unknown) => say(`${name}: ${String(error)}`));
      }
      for (const name of there) {
        if (!clients.has(name)) clients.set(name, superviseDhcp(name, options, say));
      }
    },
    leases: () => leases,
    stop() {
      watcher?.close();
      // The clients stay: their addresses are needed to the last moment, and heart ends their cgroup.
    },
  };
}

function setHostname(hostname: string, say: (message: string) => void): void {
  try {
    writeFileSync('/proc/sys/kernel/hostname', hostname);
  } catch (error) {
    say(`the host name cannot be set: ${String(error)}`);
  }
}
