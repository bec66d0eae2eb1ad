import { FwError } from '../errors.ts';

/** `/etc/hearth/firmware.json`: what `fw build` made of fw.config.ts for the device. Written by the build, read by hearthd. */
export interface FirmwareInfo {
  product: string;
  version: string;
  target: string;
  uuid: string;
  /** `shell` also means `log`; the root shell itself is heart's. */
  console: 'none' | 'log' | 'shell';
  /** Built for work on the bench: never for the field. */
  dev: boolean;
  /** Signed with the committed, publicly known example key: said on the console at every boot. */
  exampleKey: boolean;
  app: {
    /** An event loop that stands still for longer is killed. Also how long the app may stay unhealthy. */
    beatTimeoutMs: number;
    /** More restarts than this within `restartWindowMs` make the app `failed`. */
    maxRestarts: number;
    restartWindowMs: number;
    /** From the request to stop to SIGKILL. */
    stopTimeoutMs: number;
    /** What a failed app does to the device. `reboot` is tried three times in a row, then the device stays up. */
    onUnhealthy: 'stay' | 'reboot';
    /** Added to the app's environment. */
    env: Record<string, string>;
    /** Arguments of node itself, before the app. */
    nodeArgs?: string[];
  };
  network: {
    hostname: string;
    /** Every wired interface asks for an address. */
    dhcp: boolean;
  };
  /** Public keys, lines of OpenSSH, that may log in by SSH. */
  sshKeys: string[];
  /** Public keys, lines of OpenSSH, whose firmware is accepted. None: nothing is. */
  updateKeys: string[];
  /** Once this firmware is permanent, nothing below this version is accepted. */
  versionFloor?: string;
  update: {
    /** So long without a break the app must be healthy. */
    healthySeconds: number;
    /** From the start of the machine to the end of a trial. */
    trialSeconds: number;
    validate: 'auto' | 'manual';
  };
  data: {
    /** ext4's `commit=`: at most so many seconds of writes without fsync are lost by a power cut. */
    commitSeconds: number;
  };
  /** The directory under /lib/modules. */
  kernelVersion: string;
}

/** What fw.config.ts does not say anything about. */
export const DEFAULT_DATA: FirmwareInfo['data'] = { commitSeconds: 5 };

export const FIRMWARE_FILE = '/etc/hearth/firmware.json';

/**
 * Checks the few fields whose absence would surface far from here. The file comes from the verified root, written
 * by our own build: this finds a build and a hearthd of different versions, not an attacker.
 * @throws FwError `bad-firmware-info` naming the field
 */
export function parseFirmwareInfo(json: string): FirmwareInfo {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch (cause) {
    throw bad('the file', 'JSON', cause);
  }
  const root = record(raw, 'the file');
  for (const key of ['product', 'version', 'target', 'uuid', 'kernelVersion']) text(root, key, key);
  if (root.console !== 'none' && root.console !== 'log' && root.console !== 'shell')
    throw bad('console', 'none, log or shell');
  const app = record(root.app, 'app');
  for (const key of ['beatTimeoutMs', 'maxRestarts', 'restartWindowMs', 'stopTimeoutMs'])
    positive(app, key, `app.${key}`);
  if (app.onUnhealthy !== 'stay' && app.onUnhealthy !== 'reboot')
    throw bad('app.onUnhealthy', 'stay or reboot');
  record(app.env, 'app.env');
  text(record(root.network, 'network'), 'hostname', 'network.hostname');
  for (const key of ['sshKeys', 'updateKeys']) texts(root, key);
  const update = record(root.update, 'update');
  for (const key of ['healthySeconds', 'trialSeconds']) positive(update, key, `update.${key}`);
  if (update.validate !== 'auto' && update.validate !== 'manual')
    throw bad('update.validate', 'auto or manual');
  positive(record(root.data, 'data'), 'commitSeconds', 'data.commitSeconds');
  return raw as FirmwareInfo;
}

function record(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null) throw bad(field, 'an object');
  return value as Record<string, unknown>;
}
function text(from: Record<string, unknown>, key: string, field: string): void {
  if (typeof from[key] !== 'string' || from[key] === '') throw bad(field, 'a text');
}
function texts(from: Record<string, unknown>, field: string): void {
  const value = from[field];
  if (!Array.isArray(value) || value.some((each) => typeof each !== 'string'))
    throw bad(field, 'a list of texts');
}
function positive(from: Record<string, unknown>, key: string, field: string): void {
  const value = from[key];
  if (typeof value !== 'number' || !(value >= 0)) throw bad(field, 'a number, 0 or more');
}
function bad(field: string, expected: string, cause?: unknown): FwError {
  return new FwError('bad-firmware-info', `${FIRMWARE_FILE}: ${field} is not ${expected}`, {
    where: field,
    expected,
    remedy: 'Build the firmware again with the version of hearthfw that it is meant for.',
    ...(cause === undefined ? {} : { cause }),
  });
}
