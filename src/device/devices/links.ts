import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { diskName, type SysDevice, serialName } from './by-id.ts';

/** Classes of devices that get stable names, and where. */
const KINDS = [
  { subsystem: 'tty', directory: 'serial/by-id' },
  { subsystem: 'block', directory: 'disk/by-id' },
] as const;
export type LinkedSubsystem = (typeof KINDS)[number]['subsystem'];

export interface Links {
  /** Makes the link of a device that is there. Returns its name below /dev. */
  add(subsystem: LinkedSubsystem, kernelName: string): string | undefined;
  /** Removes the link of a device that is gone. */
  remove(subsystem: LinkedSubsystem, kernelName: string): void;
  /** All devices that are there; links of those that are not are removed. */
  addAll(): void;
}

export function isLinked(subsystem: string): subsystem is LinkedSubsystem {
  return KINDS.some((kind) => kind.subsystem === subsystem);
}

export function createLinks(sys = '/sys', dev = '/dev'): Links {
  const directoryOf = (subsystem: LinkedSubsystem): string =>
    `${dev}/${subsystem === 'tty' ? KINDS[0].directory : KINDS[1].directory}`;

  function add(subsystem: LinkedSubsystem, kernelName: string): string | undefined {
    const name = stableName(sys, subsystem, kernelName);
    if (name === undefined) return undefined;
    const directory = directoryOf(subsystem);
    mkdirSync(directory, { recursive: true, mode: 0o755 });
    const link = `${directory}/${name}`;
    const temporary = `${directory}/.${kernelName}`;
    // By rename, because two devices may claim one name: the newest wins, and readers never see none.
    removeQuietly(temporary);
    symlinkSync(`../../${kernelName}`, temporary);
    renameSync(temporary, link);
    return link;
  }

  function remove(subsystem: LinkedSubsystem, kernelName: string): void {
    // The device's attributes are gone with it: only the link itself still tells.
    const directory = directoryOf(subsystem);
    for (const name of list(directory)) {
      if (targetOf(`${directory}/${name}`) === kernelName) removeQuietly(`${directory}/${name}`);
    }
  }

  return {
    add,
    remove,
    addAll() {
      for (const { subsystem } of KINDS) {
        const there = new Set(list(`${sys}/class/${subsystem}`));
        for (const name of list(directoryOf(subsystem))) {
          const target = targetOf(`${directoryOf(subsystem)}/${name}`);
          if (target !== undefined && !there.has(target)) removeQuietly(`${directoryOf(subsystem)}/${name}`);
        }
        for (const kernelName of there) add(subsystem, kernelName);
      }
    },
  };
}

/** In the place that the kernel gives a device below /sys: it hangs on a USB bus. */
const USB = /\/usb\d+\//;

function stableName(sys: string, subsystem: LinkedSubsystem, kernelName: string): string | undefined {
  let path: string;
  try {
    const link = `${sys}/class/${subsystem}/${kernelName}`;
    path = resolve(dirname(link), readlinkSync(link));
  } catch {
    // Gone before its event was read.
    return undefined;
  }
  // A hundred consoles and built-in ports are looked at while the app waits: where they lie says that they have no such name.
  if (subsystem === 'tty') return USB.test(path) ? serialName(sysDevice(sys, path)) : undefined;
  const partition = readAttribute(`${path}/partition`);
  const disk = partition === undefined ? path : dirname(path);
  const name = diskName(sysDevice(sys, disk), basename(disk));
  return name !== undefined && partition !== undefined ? `${name}-part${partition}` : name;
}

/** @param path below `sys`, without links in it */
export function sysDevice(sys: string, path: string): SysDevice {
  return {
    name: basename(path),
    attribute: (name) => readAttribute(`${path}/${name}`),
    withAttribute(name) {
      for (let at = path; at.length > sys.length; at = dirname(at)) {
        if (readAttribute(`${at}/${name}`) !== undefined) return sysDevice(sys, at);
      }
      return undefined;
    },
  };
}

function readAttribute(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    // Absent, write-only, or of a device that has just gone: to the caller all the same.
    return undefined;
  }
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

function targetOf(link: string): string | undefined {
  try {
    return basename(readlinkSync(link));
  } catch {
    return undefined;
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Not there: which is what was wanted.
  }
}
