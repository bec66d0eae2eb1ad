import { FwError } from '../../errors.ts';

/** A device as users name it. What they leave open is for their ssh configuration to say. */
export interface SshHost {
  /** A name, an address, or an alias of ~/.ssh/config. */
  host: string;
  user: string | undefined;
  port: number | undefined;
}

const NAME =
  /^(?:([^@\s-][^@\s]*)@)?(\[[0-9A-Fa-f:.]+(?:%[\w.-]+)?\]|[^@\s:[\]-][^@\s:[\]]*)(?::(\d{1,5}))?$/;
/** With two colons or more it is an address of IPv6, and none of them begins a port. */
const BARE_IPV6 = /^(?:([^@\s-][^@\s]*)@)?([0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(?:%[\w.-]+)?)$/;

/** @throws FwError `bad-host`: also for what ssh would take for an option */
export function parseHost(text: string): SshHost {
  const [, user, host, port] = BARE_IPV6.exec(text) ?? NAME.exec(text) ?? [];
  const number = port === undefined ? undefined : Number(port);
  if (host === undefined || (number !== undefined && (number < 1 || number > 0xffff)))
    throw new FwError('bad-host', `'${text}' cannot be a device's name`, {
      expected:
        'an alias of your ssh configuration, or [USER@]HOST[:PORT]; an IPv6 address with a port in [ ]',
      remedy: 'Correct it, for instance: fw status hello.local.',
    });
  return { host: host.replace(/^\[(.*)\]$/, '$1'), user, port: number };
}
