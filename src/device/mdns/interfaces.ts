import { BlockList } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';

/** An interface that is up and has addresses. */
export interface Link {
  name: string;
  /** IPv4 first. */
  addresses: string[];
  /** The first of IPv4, by which multicast finds the interface. */
  ipv4: string | undefined;
  ipv6: boolean;
  /** Whether a sender is on this interface's own network. */
  isNear(address: string, family: 'ipv4' | 'ipv6'): boolean;
}

/** All but the loopback. */
export function currentLinks(all: NodeJS.Dict<NetworkInterfaceInfo[]> = networkInterfaces()): Link[] {
  return Object.entries(all).flatMap(([name, infos = []]) => {
    const usable = infos.filter(({ internal }) => !internal);
    return usable.length > 0 ? [link(name, usable)] : [];
  });
}

function link(name: string, infos: readonly NetworkInterfaceInfo[]): Link {
  const of = (family: string): NetworkInterfaceInfo[] => infos.filter((info) => info.family === family);
  const [ipv4, ipv6] = [of('IPv4'), of('IPv6')];
  const near = new BlockList();
  for (const { address, cidr } of ipv4) near.addSubnet(address, Number(cidr?.split('/')[1] ?? 32), 'ipv4');
  return {
    name,
    addresses: [...ipv4, ...ipv6].map(({ address }) => address),
    ipv4: ipv4[0]?.address,
    ipv6: ipv6.length > 0,
    // A socket of IPv4 hears what comes by all interfaces; one of IPv6 is bound to its own.
    isNear: (address, family) => family === 'ipv6' || near.check(address, 'ipv4'),
  };
}
