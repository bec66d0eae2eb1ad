import { readdirSync } from 'node:fs';
import { describe, type Exec } from '../exec.ts';

/** Aliases in one call of modprobe: each call reads the index of modules again, and a command line has its limits. */
const BATCH = 100;

export interface ModuleLoader {
  /** Loads what the hardware names, once each. Returns how many names were new. */
  load(modaliases: Iterable<string>): Promise<number>;
}

/** @param say for the one failure that matters: modprobe itself does not run */
export function createModuleLoader(exec: Exec, say: (message: string) => void): ModuleLoader {
  // Most hardware has no module of its own: asking again at each event would cost a process every time.
  const asked = new Set<string>();
  return {
    async load(modaliases) {
      const fresh = [...new Set(modaliases)].filter((alias) => alias !== '' && !asked.has(alias));
      for (const alias of fresh) asked.add(alias);
      for (let at = 0; at < fresh.length; at += BATCH) {
        const result = await exec('modprobe', ['-abq', ...fresh.slice(at, at + BATCH)]);
        // 1 means that one of the names has no module, which is the rule and not an error.
        if (result.code === undefined) say(describe('modprobe', result));
      }
      return fresh.length;
    },
  };
}

/** An I2C adapter has a node for programs only with this module, which no alias names: elsewhere a list loads it at boot. */
const I2C_NODES = 'i2c-dev';

/** A module that a device needs besides those that its modalias names. */
export function impliedModule(subsystem: string, devpath: string): string | undefined {
  return subsystem === 'i2c' && /\/i2c-\d+$/.test(devpath) ? I2C_NODES : undefined;
}

/** The same for the devices that are there. */
export function impliedModules(sys = '/sys'): string[] {
  try {
    return readdirSync(`${sys}/bus/i2c/devices`).some((name) => impliedModule('i2c', `/${name}`))
      ? [I2C_NODES]
      : [];
  } catch {
    // A kernel without I2C.
    return [];
  }
}

/**
 * The modaliases of all devices that are there. In a process of its own: a few thousand directories on a slow board
 * would hold up hearthd's event loop while the app is starting.
 */
export async function findModaliases(exec: Exec, sys = '/sys'): Promise<string[]> {
  const result = await exec('find', [`${sys}/devices`, '-name', 'modalias', '-exec', 'cat', '{}', '+']);
  return result.stdout.split('\n').filter((line) => line !== '');
}
