/** How far `device.dataDir` can be trusted. */
export type DataState =
  /** On the data partition: survives reboots and updates. */
  | 'persistent'
  /** The data partition is there but cannot be written. */
  | 'read-only'
  /** In memory: the data partition is missing or damaged. Gone at the next boot. */
  | 'volatile';

/** What the app runs on. On a laptop the strings say `laptop`, so that an app needs no second code path. */
export interface Device {
  /** Whether this process runs on a Hearth device, under hearthd. */
  readonly onDevice: boolean;
  /** The kind of board, as in `targets` of fw.config.ts; of a release, `linux_x64` or `linux_arm64`. */
  readonly target: string;
  /** `a` or `b`. */
  readonly slot: string;
  /** The firmware's name and version, as in fw.config.ts. */
  readonly product: string;
  readonly version: string;
  /** The firmware's UUID: the same for every device that runs these bytes. */
  readonly uuid: string;
  /** The directory for the app's own files. */
  readonly dataDir: string;
  readonly dataState: DataState;
}

/** Reads the variables that hearthd sets (docs/device.md, "hearthd and the app"). */
export function deviceFromEnv(env: NodeJS.ProcessEnv, cwd: string): Device {
  const state = env.HEARTH_DATA_STATE;
  return Object.freeze({
    // A release for servers says where it runs too, `linux_x64`, and is no device.
    onDevice: env.HEARTH_TARGET !== undefined && !env.HEARTH_TARGET.startsWith('linux_'),
    target: env.HEARTH_TARGET ?? 'laptop',
    slot: env.HEARTH_SLOT ?? 'laptop',
    product: env.HEARTH_PRODUCT ?? 'laptop',
    version: env.HEARTH_VERSION ?? '0.0.0',
    uuid: env.HEARTH_UUID ?? '00000000-0000-0000-0000-000000000000',
    dataDir: env.HEARTH_DATA ?? cwd,
    dataState: state === 'read-only' || state === 'volatile' ? state : 'persistent',
  });
}

export const device: Device = deviceFromEnv(process.env, process.cwd());
