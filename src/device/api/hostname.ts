import { FwError } from '../../errors.ts';
import type { Identity } from '../../update/identity.ts';
import type { DeviceIdentity } from '../identity.ts';
import type { Device, Hostname } from './device.ts';

/** As `name` in fw.config.ts: with the serial behind it, it is still one label of DNS. */
const HOSTNAME = /^[a-z]([a-z0-9-]{0,29}[a-z0-9])?$/;

/**
 * The device's name: the one that it was given itself, which every firmware finds; else its firmware's.
 * @param tell whoever uses it, when it is on the disk
 */
export function hostnameOf(
  firmware: string,
  identity: DeviceIdentity,
  tell: (hostname: string) => void,
): Device['hostname'] {
  const told = ({ hostname, serial }: Identity): Hostname => ({
    hostname: hostname ?? firmware,
    serial,
    from: hostname === undefined ? 'firmware' : 'device',
  });
  return {
    read: async () => told(await identity.read()),
    async give(hostname) {
      if (hostname !== undefined) check(hostname);
      const changed = await identity.change(({ hostname: _, ...rest }) =>
        hostname === undefined ? rest : { ...rest, hostname },
      );
      const now = told(changed);
      tell(now.hostname);
      return now;
    },
  };
}

/** @throws FwError `bad-hostname` */
function check(text: string): void {
  if (HOSTNAME.test(text)) return;
  throw new FwError('bad-hostname', `${JSON.stringify(text.slice(0, 64))} cannot be a device's name`, {
    expected:
      '1 to 31 lower-case letters, digits and dashes, starting with a letter and not ending with a dash',
    remedy: 'Choose another one, such as kitchen-2.',
  });
}
