import { FwError } from '../../errors.ts';

/** What OpenSSH writes before it ends with status 255, and what it means; the first that fits. It is never translated. */
const KNOWN: readonly [words: RegExp, meaning: (name: string, where: string) => FwError][] = [
  [
    /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for \S+ has changed/,
    (name, where) =>
      new FwError('ssh-host-key-changed', `${name} has another host key than the one that is known for it`, {
        where,
        expected: 'the key in your known_hosts',
        remedy:
          'If its card was written anew, or another device has its address now, forget the old key with ssh-keygen -R HOST and try again; if not, somebody may be in between.',
      }),
  ],
  [
    /Host key verification failed|No \S+ host key is known/,
    (name, where) =>
      new FwError('ssh-host-key-unknown', `the host key of ${name} is not known here yet`, {
        where,
        expected: 'a key in your known_hosts',
        remedy: 'Connect once at a terminal with ssh root@HOST, compare the fingerprint, and answer yes.',
      }),
  ],
  [
    /Permission denied|Too many authentication failures/,
    (name, where) =>
      new FwError('ssh-permission-denied', `${name} accepts none of your keys`, {
        where,
        expected: 'a key in sshKeys of the firmware that runs there',
        remedy: 'Load the right key with ssh-add, or name it for this host in ~/.ssh/config.',
      }),
  ],
  [
    /Could not resolve hostname/,
    (name, where) =>
      new FwError('ssh-unknown-host', `no computer is known by the name ${name}`, {
        where,
        remedy: 'Check the name, or use its address. NAME.local works in the same network only.',
      }),
  ],
  [
    /Connection refused/,
    (name, where) =>
      new FwError('ssh-refused', `${name} is there, and no SSH server answers`, {
        where,
        expected: 'the SSH server of a device',
        remedy: 'Wait until it has booted. Does its firmware have sshKeys? Without a key it serves none.',
      }),
  ],
  [
    /No route to host|Network is unreachable|Host is down/,
    (name, where) =>
      new FwError('ssh-unreachable', `there is no way to ${name}`, {
        where,
        remedy: 'Check that the device is switched on and in a network that this computer reaches.',
      }),
  ],
  [
    /timed out|Timeout, server .* not responding/,
    (name, where) =>
      new FwError('ssh-timeout', `${name} does not answer`, {
        where,
        remedy: 'Check that the device is switched on and that this is its address.',
      }),
  ],
  [
    /closed by|reset by|Broken pipe|client_loop|lost connection/,
    (name, where) =>
      new FwError('ssh-closed', `the connection to ${name} has broken`, {
        where,
        remedy: 'Try again: an update goes on where it was.',
      }),
  ],
];

/** ssh's own failure, told as ours. */
export function sshError(name: string, errorOutput: string): FwError {
  const words = errorOutput.trim();
  const said = words.split('\n').at(-1)?.trim();
  const [, meaning] = KNOWN.find(([pattern]) => pattern.test(words)) ?? [];
  if (meaning) return meaning(name, `ssh: ${said}`);
  return new FwError('ssh-failed', `ssh to ${name} has failed${said ? `: ${said}` : ''}`, {
    where: name,
    remedy: 'Try the same by hand, which says more: ssh -v root@HOST version.',
  });
}

export function noSsh(cause: unknown): FwError {
  return new FwError('ssh-missing', `the program ssh cannot be started: ${(cause as Error).message}`, {
    expected: 'OpenSSH on the PATH',
    remedy: 'Install it: apt install openssh-client, or its like on your system.',
    cause,
  });
}

export function tooSlow(name: string, timeoutMs: number): FwError {
  return new FwError('ssh-timeout', `${name} has not answered within ${Math.round(timeoutMs / 1000)} s`, {
    where: name,
    remedy: 'Try again; if it stays so, switch the device off and on.',
  });
}
