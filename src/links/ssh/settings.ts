import { execFile } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { userInfo } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { FwError } from '../../errors.ts';
import type { SshHost } from './host.ts';

/** What the user's ssh makes of a host, as far as fw has to know. */
export interface Settings {
  /** Said by their configuration, and not only who they are on this computer. */
  user: string | undefined;
  hostname: string;
  /** Another computer makes the connection, and looks names up. */
  proxied: boolean;
  /** The name under which the host's key is known, where they have set one. */
  hostKeyAlias: string | undefined;
}

const TIMEOUT_MS = 5_000;

/**
 * `ssh -G`: includes, aliases and Match blocks are theirs to resolve, not ours.
 * @param extra options of ssh that go before
 * @returns undefined when ssh cannot say; it says why when it is used
 */
export function settingsOf(
  { host, port }: SshHost,
  extra: readonly string[] = [],
): Promise<Settings | undefined> {
  const args = [...extra, '-G', ...(port === undefined ? [] : ['-p', String(port)]), '--', host];
  return new Promise((resolve) => {
    execFile('ssh', args, { timeout: TIMEOUT_MS }, (error, stdout) =>
      resolve(error ? undefined : parse(stdout)),
    );
  });
}

/** Lines of `key value`, keys in lower case. */
export function parse(text: string, me = userInfo().username): Settings | undefined {
  const values = new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf(' ');
      return at > 0 ? [[line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const] : [];
    }),
  );
  const hostname = values.get('hostname');
  if (hostname === undefined) return undefined;
  const user = values.get('user');
  const set = (key: string): boolean => !['none', undefined].includes(values.get(key));
  return {
    // What nobody has configured is the user's own name; and who is root here is root there.
    user: user === me ? undefined : user,
    hostname,
    proxied: set('proxyjump') || set('proxycommand'),
    hostKeyAlias: set('hostkeyalias') ? values.get('hostkeyalias') : undefined,
  };
}

/** So long the system's own resolver may take before multicast DNS is asked beside it. */
const HEAD_START_MS = 300;
const MDNS_MS = 4_000;

export interface Lookups {
  /** The system's. @throws when it does not know the name */
  system(name: string): Promise<unknown>;
  multicast(name: string, signal: AbortSignal): Promise<string | undefined>;
}

const LOOKUPS: Lookups = {
  system: (name) => lookup(name),
  async multicast(name, signal) {
    const { addressOf } = await import('../../host/discover/devices.ts');
    return addressOf(name, { timeoutMs: MDNS_MS, signal });
  },
};

/**
 * The options by which ssh finds a NAME.local where the system's resolver does not know multicast DNS: in containers, in WSL, on
 * small installations. The host's key is looked up under the name all the same.
 */
export async function namedLocally(settings: Settings, lookups = LOOKUPS): Promise<string[]> {
  const { hostname, proxied, hostKeyAlias } = settings;
  if (proxied || !/\.local\.?$/i.test(hostname)) return [];
  const over = new AbortController();
  const known = lookups.system(hostname).then(
    () => true,
    () => false,
  );
  try {
    if (await Promise.race([known, delay(HEAD_START_MS, false)])) return [];
    const address = await Promise.race([
      lookups.multicast(hostname.replace(/\.$/, ''), over.signal),
      known.then((yes) => (yes ? undefined : new Promise<undefined>(() => {}))),
    ]);
    if (address === undefined) return [];
    return ['-o', `HostName=${address}`, '-o', `HostKeyAlias=${hostKeyAlias ?? hostname}`];
  } catch (error) {
    // No network: ssh says it better.
    if (error instanceof FwError) return [];
    throw error;
  } finally {
    over.abort();
  }
}
