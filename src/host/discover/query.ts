import { setTimeout as delay } from 'node:timers/promises';
import { type Family, type Group, joinGroup, type Packet } from '../../device/mdns/group.ts';
import { currentLinks, type Link } from '../../device/mdns/interfaces.ts';
import { FormatError, FwError } from '../../errors.ts';
import { type DnsRecord, decodeMessage, encodeMessage, type Question } from '../../formats/dns.ts';

export interface QueryOptions {
  /** Ended by this, and never by itself. */
  signal: AbortSignal;
  /** @param link the interface by which it came */
  onRecord(record: DnsRecord, link: string): void;
}

/** From question to question: packets of multicast DNS get lost, on WiFi not seldom. RFC 6762, 5.2. */
const PAUSES_MS = [250, 1_000, 2_000, 4_000, 8_000];
/** Of a group that cannot be sent to; as long as there is another. */
type Sent = PromiseSettledResult<void>[];
const ANY_PORT = 0;

/**
 * Asks all networks that this computer is in, again and again, until the signal.
 * @param questions what is still open; asked for before each packet
 * @throws FwError `no-network`
 */
export async function query(
  questions: () => readonly Question[],
  { signal, onRecord }: QueryOptions,
): Promise<void> {
  const groups = await join((bytes, link) => {
    for (const record of recordsIn(bytes)) onRecord(record, link);
  });
  try {
    for (let asked = 0; !signal.aborted; asked++) {
      const bytes = encodeMessage({ questions: questions() });
      const sent: Sent = await Promise.allSettled(groups.map((group) => group.send(bytes)));
      if (!sent.some(({ status }) => status === 'fulfilled')) throw noNetwork();
      await delay(PAUSES_MS[Math.min(asked, PAUSES_MS.length - 1)], undefined, { signal }).catch(() => {});
    }
  } finally {
    for (const group of groups) group.close();
  }
}

async function join(onPacket: (bytes: Uint8Array, link: string) => void): Promise<Group[]> {
  const wanted = currentLinks().flatMap((link) => [
    ...(link.ipv4 ? [{ link, family: 'ipv4' as const }] : []),
    ...(link.ipv6 ? [{ link, family: 'ipv6' as const }] : []),
  ]);
  const joined = await Promise.allSettled(
    wanted.map(({ link, family }) => joinAnyhow(link, family, ({ bytes }) => onPacket(bytes, link.name))),
  );
  const groups = joined.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  if (groups.length === 0) throw noNetwork();
  return groups;
}

/** Beside the system's own responder where it shares its port; else from a port of ours, to which devices answer too. */
async function joinAnyhow(link: Link, family: Family, onPacket: (packet: Packet) => void): Promise<Group> {
  try {
    return await joinGroup(link, family, onPacket);
  } catch {
    return joinGroup(link, family, onPacket, ANY_PORT);
  }
}

function recordsIn(bytes: Uint8Array): DnsRecord[] {
  try {
    const message = decodeMessage(bytes);
    return message?.response ? [...message.answers, ...message.additionals] : [];
  } catch (error) {
    // Anybody may send anything.
    if (error instanceof FormatError) return [];
    throw error;
  }
}

function noNetwork(): FwError {
  return new FwError('no-network', 'this computer is in no network that could be asked', {
    expected: 'an interface with an address, other than the loopback',
    remedy: 'Plug in a cable or join a WiFi network. In a container: run it in the network of the host.',
  });
}
