import { setTimeout as delay } from 'node:timers/promises';
import { claimsOf, type Presence } from './claims.ts';
import { type Family, type Group, joinGroup, MDNS_PORT, type Packet } from './group.ts';
import type { Link } from './interfaces.ts';
import { Responder } from './responder.ts';

/** Between two goodbyes. */
const AGAIN_MS = 150;

interface Served {
  link: Link;
  groups: Map<Family, Group>;
  responder: Responder;
  /** Something could not be sent: an address that the kernel still examines, an interface that is going. */
  broken: boolean;
  /** What is on its way. */
  sending: Set<Promise<void>>;
}

export interface AnnouncerEffects {
  say(message: string): void;
}

/** A device's names on every interface that is up. */
export class Announcer {
  readonly #presence: Presence;
  readonly #say: (message: string) => void;
  readonly #served = new Map<string, Served>();
  /** What has been said of a name on an interface: it is said once. */
  readonly #told = new Map<string, string>();
  #links: readonly Link[] = [];

  constructor(presence: Presence, { say }: AnnouncerEffects) {
    this.#presence = presence;
    this.#say = say;
  }

  /** Takes up interfaces that have come, and leaves those that have gone. One at a time. */
  async look(links: readonly Link[]): Promise<void> {
    this.#links = links;
    for (const [name, served] of this.#served)
      if (!links.some((link) => link.name === name)) this.#leave(name, served);
    for (const link of links) await this.#serve(link);
  }

  /** Resolves when everybody has been told, twice: a packet gets lost, and who was just asking may pass over the first. */
  async end(): Promise<void> {
    const all = [...this.#served];
    const farewells = all.map(([, served]) => ({ served, bytes: served.responder.end() }));
    if (farewells.some(({ bytes }) => bytes)) await delay(AGAIN_MS);
    for (const { served, bytes } of farewells)
      if (bytes) for (const group of served.groups.values()) this.#send(served, group, bytes);
    await Promise.all(all.flatMap(([, { sending }]) => [...sending]));
    for (const [name, served] of all) this.#leave(name, served);
  }

  async #serve(link: Link): Promise<void> {
    const served = this.#served.get(link.name) ?? this.#begun(link);
    const before = served.link;
    served.link = link;
    const wanted: Family[] = [
      ...(link.ipv4 ? ['ipv4' as const] : []),
      ...(link.ipv6 ? ['ipv6' as const] : []),
    ];
    for (const [family, group] of served.groups) {
      // A membership is by address; and whatever failed may be an interface of the same name.
      const stays =
        wanted.includes(family) && !served.broken && (family === 'ipv6' || before.ipv4 === link.ipv4);
      if (stays) continue;
      group.close();
      served.groups.delete(family);
    }
    served.broken = false;
    const joined = await Promise.all(wanted.map((family) => this.#joined(served, family)));
    // Before the others are asked: they are to hear of addresses that are right.
    if (before.addresses.join() !== link.addresses.join()) served.responder.readdress(link.addresses);
    if (joined.includes(true)) served.responder.probe();
  }

  #begun(link: Link): Served {
    const { given, own, ownInFull } = claimsOf(this.#presence);
    const served: Served = {
      ...{ link, groups: new Map(), broken: false, sending: new Set() },
      responder: new Responder([[given], [own, ownInFull]], link.addresses, {
        multicast: (bytes) => {
          for (const group of served.groups.values()) this.#send(served, group, bytes);
        },
        isOwnAddress: (address) => this.#links.some(({ addresses }) => addresses.includes(address)),
        onName: (host, state) => this.#tell(served.link.name, host, state),
      }),
    };
    this.#served.set(link.name, served);
    return served;
  }

  /** Whether it is a new one. */
  async #joined(served: Served, family: Family): Promise<boolean> {
    if (served.groups.has(family)) return false;
    const receive = (packet: Packet): void => {
      const { bytes, address, port } = packet;
      served.responder.receive(bytes, {
        id: `${address} ${port}`,
        legacy: port !== MDNS_PORT,
        reply: (answer) => {
          const group = served.groups.get(family);
          if (group) this.#send(served, group, answer, packet);
        },
      });
    };
    try {
      const group = await joinGroup(served.link, family, receive);
      served.groups.set(family, group);
      return true;
    } catch {
      // The interface went at this moment, or is none for multicast. Tried again with the next look.
      return false;
    }
  }

  #send(served: Served, group: Group, bytes: Uint8Array, to?: Packet): void {
    const sending = group
      .send(bytes, to)
      .catch(() => {
        // A single asker may be out of reach; the group never is.
        if (!to) served.broken = true;
      })
      .finally(() => served.sending.delete(sending));
    served.sending.add(sending);
  }

  #leave(name: string, { responder, groups }: Served): void {
    responder.end();
    for (const group of groups.values()) group.close();
    this.#served.delete(name);
    for (const key of this.#told.keys()) if (key.startsWith(`${name} `)) this.#told.delete(key);
  }

  #tell(link: string, host: string, state: 'held' | 'taken'): void {
    const key = `${link} ${host}`;
    if (this.#told.get(key) === state) return;
    this.#told.set(key, state);
    this.#say(state === 'held' ? `${link}: ${host}` : `${link}: ${host} is another device's`);
  }
}
