import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type ChildSpec,
  child,
  namedSupervisor,
  Server,
  type ServerRef,
  type SupervisorRef,
  supervisor,
  Task,
} from '../../otp/index.ts';
import { describe, type Exec } from '../exec.ts';
import { DhcpClient, type DhcpOptions } from './dhcp.ts';
import { wiredInterfaces } from './interfaces.ts';
import type { Lease } from './lease.ts';
import { Leases } from './leases.ts';

export interface NetworkOptions extends DhcpOptions {
  dhcp: boolean;
  /** `/proc/sys/kernel/hostname` */
  hostnameFile: string;
}

export interface NetworkEffects {
  exec: Exec;
  say(message: string): void;
  /** A lease came, changed or went. */
  onChange(): void;
  /** Fulfilled when the network may begin. */
  turn: Promise<void>;
  /** The name that this one device was given, if it was. */
  hostname(): Promise<string | undefined>;
}

/** A disk that does not answer must not keep the device from its network. */
const NAME_WITHIN_MS = 3_000;

/**
 * Every wired interface gets an address, now or when it is plugged in. The clients come first: they outlive who starts
 * them, and are found again. However often one of them ends, the device stays up: it is tried again, ever more slowly.
 */
export function network(options: NetworkOptions, effects: NetworkEffects): ChildSpec<SupervisorRef> {
  const patience = { maxRestarts: Infinity, backoff: { minMs: 1_000, maxMs: 30_000 } };
  return supervisor({
    ...patience,
    id: 'network',
    strategy: 'rest_for_one',
    children: [
      supervisor({ ...patience, name: 'dhcp', children: [] }),
      child(Network, { name: 'network', shutdown: 'brutal', args: [options, effects] }),
    ],
  });
}

/** Knows the interfaces and their leases, and starts and stops the clients. */
export class Network extends Server {
  /** Undefined where no interface asks for an address. */
  #dhcp: { options: NetworkOptions; effects: NetworkEffects; leases: Leases } | undefined;
  /** Not before the device knows its name: the clients tell it. */
  #named = false;
  #setHostname: (hostname: string) => void = () => {};

  override init(options: NetworkOptions, effects: NetworkEffects): void {
    const me: ServerRef<Network> = this.self;
    this.#setHostname = (hostname) => setHostname({ ...options, hostname }, effects.say);
    this.#setHostname(options.hostname);
    void effects.turn
      .then(() => Promise.race([effects.hostname(), delay(NAME_WITHIN_MS, undefined, { ref: false })]))
      // Whoever else needs the disk says what is the matter with it.
      .catch(() => undefined)
      .then((hostname = options.hostname) => me.cast('begin', hostname));
    if (!options.dhcp) return;
    const leases = new Leases(options.directory, effects.say);
    this.#dhcp = { options, effects, leases };
    leases.watch((name) => me.cast('leased', name), this.signal);
  }

  async begin(hostname: string): Promise<void> {
    this.rename(hostname);
    this.#named = true;
    await this.refresh();
  }

  /** DHCP servers hear of it from the clients that are started from now on: at the next boot at the latest. */
  rename(hostname: string): void {
    this.#setHostname(hostname);
    if (this.#dhcp) this.#dhcp.options = { ...this.#dhcp.options, hostname };
  }

  /** Looks at which interfaces there are. */
  async refresh(): Promise<void> {
    if (!this.#dhcp || !this.#named) return;
    const { options, leases } = this.#dhcp;
    const clients = namedSupervisor('dhcp');
    const there = new Set(wiredInterfaces(options.sys));
    const served = new Set((await clients.children()).map(({ id }) => id));
    for (const name of new Set([...served, ...leases.names])) {
      if (there.has(name)) continue;
      if (served.has(name)) {
        await clients.terminateChild(name);
        await clients.deleteChild(name);
      }
      this.#forget(name);
    }
    for (const name of there) {
      if (served.has(name)) continue;
      await clients.startChild(child(DhcpClient, { id: name, name: `dhcp ${name}`, args: [name, options] }));
    }
  }

  leased(name: string): void {
    if (this.#dhcp?.leases.read(name)) this.#dhcp.effects.onChange();
  }

  leases(): Record<string, Lease> {
    return this.#dhcp?.leases.all() ?? {};
  }

  /** Its name servers would still be asked. By the script, so that one program writes those files. */
  #forget(name: string): void {
    if (!this.#dhcp) return;
    const { options, effects, leases } = this.#dhcp;
    leases.forget(name);
    effects.onChange();
    Task.async(
      async function forget() {
        const env = { interface: name, HEARTH_NET: options.directory };
        const result = await effects.exec(options.script, ['gone'], { env });
        if (result.code !== 0) effects.say(`${name}: ${describe(options.script, result)}`);
      },
      { owner: this.self },
    );
  }
}

function setHostname({ hostnameFile, hostname }: NetworkOptions, say: (message: string) => void): void {
  try {
    writeFileSync(hostnameFile, hostname);
  } catch (error) {
    say(`the host name cannot be set: ${String(error)}`);
  }
}
