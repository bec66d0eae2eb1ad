import { setTimeout as delay } from 'node:timers/promises';
import { DEVICE_SERVICE } from '../../device/mdns/claims.ts';
import { type DnsRecord, type Question, sameName, TYPE } from '../../formats/dns.ts';
import { query } from './query.ts';

/** A device as it tells of itself in the network. Whoever is in that network can say anything: nothing here is proved. */
export interface FoundDevice {
  /** For ssh and every verb: `hello-1a2b.local`. */
  name: string;
  /** IPv4 first; with the interface, where an address means nothing without. */
  addresses: string[];
  /** 0 where nobody may log in. */
  port: number;
  product: string;
  version: string;
  uuid: string;
  target: string;
  serial: string;
}

export interface DiscoverOptions {
  timeoutMs: number;
  signal: AbortSignal;
}

/**
 * The devices that answer in the networks of this computer.
 * @throws FwError `no-network`
 */
export async function discover({ timeoutMs, signal }: DiscoverOptions): Promise<FoundDevice[]> {
  const heard = new Heard();
  const end = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  await query(() => heard.open(), { signal: end, onRecord: (record, link) => heard.add(record, link) });
  signal.throwIfAborted();
  return heard.devices();
}

/**
 * The address of one name that ends in `.local`, for systems whose own resolver does not know multicast DNS.
 * @returns undefined when nobody answers to it
 */
export async function addressOf(
  name: string,
  { timeoutMs, signal }: DiscoverOptions,
): Promise<string | undefined> {
  const found = new AbortController();
  const end = AbortSignal.any([signal, found.signal, AbortSignal.timeout(timeoutMs)]);
  const addresses: string[] = [];
  await query(() => [question(name, TYPE.A), question(name, TYPE.AAAA)], {
    signal: end,
    onRecord(record, link) {
      if (!sameName(record.name, name)) return;
      addresses.push(...addressIn(record, link));
      // The other family comes in the same packet, or in the next.
      if (addresses.length > 0) void delay(SETTLE_MS).then(() => found.abort());
    },
  });
  signal.throwIfAborted();
  return addresses.sort(ipv4First)[0];
}

const SETTLE_MS = 50;

/** What has been heard so far. */
export class Heard {
  readonly #records = new Map<string, { record: DnsRecord; link: string }>();

  add(record: DnsRecord, link: string): void {
    const key = JSON.stringify([record.name.toLowerCase(), record.data, link]);
    if (record.ttlSeconds === 0) this.#records.delete(key);
    else this.#records.set(key, { record, link });
  }

  /** What is to be asked next: devices that have been silent, and what is missing of the others. */
  open(): Question[] {
    const missing = this.#instances().flatMap((instance) => {
      const target = this.#target(instance);
      if (target === undefined) return [question(instance, TYPE.SRV), question(instance, TYPE.TXT)];
      return this.#addresses(target).length > 0
        ? []
        : [question(target, TYPE.A), question(target, TYPE.AAAA)];
    });
    return [question(DEVICE_SERVICE, TYPE.PTR), ...missing];
  }

  devices(): FoundDevice[] {
    const found = this.#instances().flatMap((instance) => {
      const name = this.#target(instance);
      if (name === undefined) return [];
      const text = this.#text(instance);
      const { product = '', version = '', uuid = '', target = '', serial = '' } = text;
      const port = this.#of(instance).flatMap(({ data }) => (data.type === 'SRV' ? [data.port] : []))[0] ?? 0;
      return [{ name, addresses: this.#addresses(name), port, product, version, uuid, target, serial }];
    });
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #instances(): string[] {
    const named = this.#of(DEVICE_SERVICE).flatMap(({ data }) => (data.type === 'PTR' ? [data.target] : []));
    return [...new Set(named)];
  }

  #target(instance: string): string | undefined {
    return this.#of(instance).flatMap(({ data }) => (data.type === 'SRV' ? [data.target] : []))[0];
  }

  #text(instance: string): Record<string, string | undefined> {
    const strings = this.#of(instance).flatMap(({ data }) => (data.type === 'TXT' ? data.strings : []));
    // The first of a key counts: RFC 6763, 6.4.
    const pairs = strings.flatMap((text) => {
      const at = text.indexOf('=');
      return at > 0 ? [[text.slice(0, at).toLowerCase(), text.slice(at + 1)] as const] : [];
    });
    return Object.fromEntries(pairs.reverse());
  }

  #addresses(name: string): string[] {
    const all = [...this.#records.values()].filter(({ record }) => sameName(record.name, name));
    const addresses = all.flatMap(({ record, link }) => addressIn(record, link));
    return [...new Set(addresses)].sort(ipv4First);
  }

  #of(name: string): DnsRecord[] {
    return [...this.#records.values()].flatMap(({ record }) => (sameName(record.name, name) ? [record] : []));
  }
}

function addressIn({ data }: DnsRecord, link: string): string[] {
  if (data.type !== 'A' && data.type !== 'AAAA') return [];
  return [/^fe[89ab]/i.test(data.address) ? `${data.address}%${link}` : data.address];
}

/** People read, and old networks route, those better; of IPv6, what is not only the link's. */
function ipv4First(a: string, b: string): number {
  return rank(a) - rank(b);
}
const rank = (address: string): number => (address.includes('%') ? 2 : address.includes(':') ? 1 : 0);

function question(name: string, type: number): Question {
  return { name, type, unicast: false };
}
