import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Link } from './interfaces.ts';

export const MDNS_PORT = 5353;
/** RFC 6762, 3. */
const GROUPS = { ipv4: '224.0.0.251', ipv6: 'ff02::fb' } as const;
/** RFC 6762, 11: older programs take nothing that could have come through a router. */
const HOPS = 255;

export type Family = keyof typeof GROUPS;

export interface Packet {
  bytes: Uint8Array;
  address: string;
  port: number;
}

/** Multicast DNS on one interface, in one family. */
export interface Group {
  /** Resolves when it is on its way. @throws the system's error */
  send(bytes: Uint8Array, to?: { address: string; port: number }): Promise<void>;
  close(): void;
}

/**
 * Bound to the group's own address: what is sent to this machine alone is for others who listen on the port, if there are any, and
 * what has crossed a router is not heard.
 * @param port another than multicast DNS's own gets unicast answers, which the socket is then open for
 * @throws the system's error
 */
export async function joinGroup(
  link: Link,
  family: Family,
  onPacket: (packet: Packet) => void,
  port = MDNS_PORT,
): Promise<Group> {
  const socket = createSocket({
    type: family === 'ipv4' ? 'udp4' : 'udp6',
    reuseAddr: true,
    ipv6Only: family === 'ipv6',
  });
  // As setsockopt takes it: by an address of the interface, or by its name behind any.
  const by = family === 'ipv4' ? (link.ipv4 ?? '') : `::%${link.name}`;
  const group = family === 'ipv4' ? GROUPS.ipv4 : `${GROUPS.ipv6}%${link.name}`;
  try {
    socket.bind({ port, exclusive: true, ...(port === MDNS_PORT ? { address: group } : {}) });
    await once(socket, 'listening');
    if (port === MDNS_PORT) socket.addMembership(GROUPS[family], by);
    socket.setMulticastInterface(by);
    socket.setMulticastTTL(HOPS);
    socket.setTTL(HOPS);
    socket.setMulticastLoopback(true);
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on('message', (bytes, { address, port }) => {
    if (link.isNear(address, family)) onPacket({ bytes, address, port });
  });
  // Of a packet that could not be read; there will be others.
  socket.on('error', () => {});
  return {
    send: (bytes, to = { address: group, port: MDNS_PORT }) => sent(socket, bytes, to),
    close: () => socket.close(),
  };
}

function sent(socket: Socket, bytes: Uint8Array, to: { address: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(bytes, to.port, to.address, (error) => (error ? reject(error) : resolve()));
  });
}
