import { chmodSync, chownSync, readdirSync, readFileSync } from 'node:fs';
import { DEVICE_MODE, GROUPS, groupFor, RULED_DIRECTORIES } from './permissions.ts';

/** The serial ports that carry the console: an app that may write to them could say anything in heart's name. */
function consoles(): string[] {
  try {
    return readFileSync('/sys/class/tty/console/active', 'utf8').trim().split(' ');
  } catch {
    // A kernel without a console.
    return [];
  }
}

/** Hands a device node to its group. False when no rule is for it, when it is a console, or when it has gone again. */
export function grant(dev: string, name: string): boolean {
  const group = groupFor(name);
  if (!group || consoles().includes(name)) return false;
  try {
    chownSync(`${dev}/${name}`, 0, GROUPS[group]);
    chmodSync(`${dev}/${name}`, DEVICE_MODE);
    return true;
  } catch {
    // Unplugged between the event and now; its own event follows.
    return false;
  }
}

/** All nodes that are there, for what the kernel made before anyone listened. Returns the names that a rule was for. */
export function grantAll(dev = '/dev'): string[] {
  return RULED_DIRECTORIES.flatMap((directory) => names(dev, directory)).filter((name) => grant(dev, name));
}

function names(dev: string, directory: string): string[] {
  const parent = directory.endsWith('/*') ? directory.slice(0, -2) : undefined;
  if (parent !== undefined) return names(dev, parent).flatMap((name) => names(dev, name));
  try {
    return readdirSync(`${dev}/${directory}`).map((name) =>
      directory === '' ? name : `${directory}/${name}`,
    );
  } catch {
    // No such devices on this machine.
    return [];
  }
}
