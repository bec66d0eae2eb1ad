import { readFileSync } from 'node:fs';

/** Where `fw build` puts the `config` of fw.config.ts. `HEARTH_APP_CONFIG` names another file, for a laptop. */
const DEVICE_FILE = '/srv/app/config.json';

let loaded: unknown;

/**
 * The app's settings: the `config` object of fw.config.ts, frozen. `{}` when there is no file at all. The type
 * argument is the caller's claim; nothing checks it.
 * @throws Error naming the file, when the file that HEARTH_APP_CONFIG names is missing, or when a file is not a JSON object
 */
export function config<T extends object = Record<string, unknown>>(): Readonly<T> {
  loaded ??= loadConfig(process.env.HEARTH_APP_CONFIG);
  return loaded as Readonly<T>;
}

/** @param named the file that the user asked for; its absence is an error, that of the device's file is not */
export function loadConfig(named: string | undefined, fallback: string = DEVICE_FILE): object {
  const file = named ?? fallback;
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    if (named === undefined && (cause as NodeJS.ErrnoException).code === 'ENOENT') return Object.freeze({});
    throw new Error(`the app's config cannot be read: ${file}: ${(cause as Error).message}`, { cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`the app's config is not JSON: ${file}: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`the app's config must be a JSON object: ${file}`);
  }
  return deepFreeze(value);
}

function deepFreeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) {
    if (typeof child === 'object' && child !== null) deepFreeze(child);
  }
  return Object.freeze(value);
}
