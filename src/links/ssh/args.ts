import type { SshHost } from './host.ts';

export interface ArgsOptions {
  /** Whether ssh may ask at the terminal: for a passphrase, or whether a new device's key is right. */
  mayAsk: boolean;
  connectTimeoutSeconds: number;
  /** Further options of ssh, before ours. */
  extra: readonly string[];
}

/** A device that is gone is noticed after three of these without a word. */
const ALIVE_SECONDS = 5;

/**
 * The arguments of the user's own ssh, before the command. What only that user can know (keys, jump hosts, how a device's
 * key is checked) is left to their configuration.
 */
export function sshArgs({ host, user, port }: SshHost, options: ArgsOptions): string[] {
  const settings = [
    `BatchMode=${options.mayAsk ? 'no' : 'yes'}`,
    // A device never has passwords, and its refusal is to come at once.
    'PreferredAuthentications=publickey',
    `ConnectTimeout=${options.connectTimeoutSeconds}`,
    `ServerAliveInterval=${ALIVE_SECONDS}`,
    'ServerAliveCountMax=3',
    // Its words are read, and told.
    'LogLevel=ERROR',
    'ForwardAgent=no',
    'ForwardX11=no',
    'ClearAllForwardings=yes',
  ];
  return [
    ...options.extra,
    ...settings.flatMap((setting) => ['-o', setting]),
    ...['-T', '-x'],
    ...(user === undefined ? [] : ['-l', user]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    // Neither a host nor a command is ever taken for an option.
    ...['--', host],
  ];
}
