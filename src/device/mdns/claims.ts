import { type DnsRecord, type RecordData, TYPE } from '../../formats/dns.ts';

/** What a device tells of itself. */
export interface Presence {
  hostname: string;
  serial: string;
  product: string;
  version: string;
  uuid: string;
  target: string;
  /** Whether somebody may log in. */
  ssh: boolean;
}

/** A name of the device's, and what is said of it as long as it is the device's own. */
export interface Claim {
  /** `hello.local` */
  host: string;
  /** Of names that nobody else may have. */
  unique(addresses: readonly string[]): DnsRecord[];
  /** Of names that others have too. */
  shared(addresses: readonly string[]): DnsRecord[];
}

/** RFC 6762, 10: what holds a host's name or address, and everything else. */
const HOST_TTL_SECONDS = 120;
const OTHER_TTL_SECONDS = 4500;
const SSH_PORT = 22;
const SERVICES = '_services._dns-sd._udp.local';
export const DEVICE_SERVICE = '_hearth._tcp.local';
const SSH_SERVICE = '_ssh._tcp.local';

/**
 * The name that people gave, which another device may have too, and one with the serial's last four characters, which a label on
 * the device can say in advance. Should even that one be another device's, the whole serial is taken.
 */
export function claimsOf(presence: Presence): { given: Claim; own: Claim; ownInFull: Claim } {
  const serial = presence.serial.toLowerCase().replaceAll(/[^a-z0-9]/g, '') || '0';
  const { hostname } = presence;
  return {
    given: {
      host: `${hostname}.local`,
      unique: (at) => hostRecords(`${hostname}.local`, at),
      shared: () => [],
    },
    own: deviceClaim(`${hostname}-${serial.slice(-4)}`, presence),
    ownInFull: deviceClaim(`${hostname}-${serial}`.slice(0, 63), presence),
  };
}

function deviceClaim(label: string, presence: Presence): Claim {
  const host = `${label}.local`;
  const { product, version, uuid, target, serial, ssh } = presence;
  const strings = Object.entries({ product, version, uuid, target, serial }).map(([k, v]) => `${k}=${v}`);
  const services = [
    // Port 0, where nobody may log in: it is there, and serves nothing (RFC 6763, 8).
    { type: DEVICE_SERVICE, port: ssh ? SSH_PORT : 0, strings },
    ...(ssh ? [{ type: SSH_SERVICE, port: SSH_PORT, strings: [] }] : []),
  ];
  return {
    host,
    unique: (addresses) => [
      ...hostRecords(host, addresses),
      ...services.flatMap(({ type, port, strings }) => [
        owned(`${label}.${type}`, HOST_TTL_SECONDS, { type: 'SRV', port, target: host }),
        owned(`${label}.${type}`, OTHER_TTL_SECONDS, { type: 'TXT', strings }),
      ]),
    ],
    shared: (addresses) => [
      ...services.flatMap(({ type }) => [
        shared(SERVICES, OTHER_TTL_SECONDS, { type: 'PTR', target: type }),
        shared(type, OTHER_TTL_SECONDS, { type: 'PTR', target: `${label}.${type}` }),
      ]),
      // Not probed for: an address is one host's (RFC 6762, 8.1).
      ...addresses.map((address) => owned(reverse(address), HOST_TTL_SECONDS, { type: 'PTR', target: host })),
    ],
  };
}

function hostRecords(host: string, addresses: readonly string[]): DnsRecord[] {
  return addresses.map((address) =>
    owned(host, HOST_TTL_SECONDS, { type: address.includes(':') ? 'AAAA' : 'A', address }),
  );
}

/** What there is of a name, for whoever asks for something that there is not (RFC 6762, 6.1). */
export function nothingElse(name: string, records: readonly DnsRecord[]): DnsRecord {
  const types = records.map(({ data }) => (data.type === 'other' ? data.code : TYPE[data.type]));
  return owned(name, HOST_TTL_SECONDS, { type: 'NSEC', types: [...new Set(types)].sort((a, b) => a - b) });
}

/** RFC 1035, 3.5; RFC 3596, 2.5. */
function reverse(address: string): string {
  if (!address.includes(':')) return `${address.split('.').reverse().join('.')}.in-addr.arpa`;
  const [head = '', tail] = address
    .split('::')
    .map((part) => part.split(':').filter(Boolean).map(padded).join(''));
  const digits = tail === undefined ? head : head + '0'.repeat(32 - head.length - tail.length) + tail;
  return `${[...digits].reverse().join('.')}.ip6.arpa`;
}

const padded = (word: string): string => word.padStart(4, '0');

function owned(name: string, ttlSeconds: number, data: RecordData): DnsRecord {
  return { name, ttlSeconds, flush: true, data };
}
function shared(name: string, ttlSeconds: number, data: RecordData): DnsRecord {
  return { name, ttlSeconds, flush: false, data };
}
