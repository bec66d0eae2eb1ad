import { type FSWatcher, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs';
import { type DhcpClient, type DhcpOptions, superviseDhcp } from './dhcp.ts';
import { wiredInterfaces } from './interfaces.ts';
import { type Lease, parseLease } from './lease.ts';

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
export function createNetwork(
  options: NetworkOptions,
  say: (message: string) => void,
  onChange: () => void,
): Network {
  const clients = new Map<string, DhcpClient>();
  const leases = new Map<string, Lease>();
  let watcher: FSWatcher | undefined;

  setHostname(options.hostname, say);
  mkdirSync(options.directory, { recursive: true });
  if (options.dhcp) {
    // The files are how the clients' scripts report, because they must not depend on hearthd being there.
    watcher = watch(options.directory, (_, file) => {
      if (file?.endsWith('.lease')) readLease(file);
    });
    watcher.on('error', (error) => say(`network: ${error.message}`));
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

  return {
    refresh() {
      if (!options.dhcp) return;
      const there = new Set(wiredInterfaces(options.sys));
      for (const [name, client] of clients) {
        if (there.has(name)) continue;
        client.stop();
        clients.delete(name);
        leases.delete(name);
        onChange();
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
