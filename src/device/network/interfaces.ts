import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** ARPHRD_ETHER (include/uapi/linux/if_arp.h). */
const ETHERNET = '1';

/**
 * Names of the wired interfaces: Ethernet by type, backed by a device (bridges and tunnels have none), without a radio.
 */
export function wiredInterfaces(sys = '/sys'): string[] {
  const base = `${sys}/class/net`;
  let names: string[];
  try {
    names = readdirSync(base);
  } catch {
    return [];
  }
  return names.filter((name) => {
    const path = `${base}/${name}`;
    try {
      if (readFileSync(`${path}/type`, 'latin1').trim() !== ETHERNET) return false;
    } catch {
      // Gone since the directory was read.
      return false;
    }
    return existsSync(`${path}/device`) && !existsSync(`${path}/wireless`) && !existsSync(`${path}/phy80211`);
  });
}
