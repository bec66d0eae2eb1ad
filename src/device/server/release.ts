import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FirmwareInfo } from '../firmware-info.ts';

/** `lib/release.json`: what `fw release` made of fw.config.ts for a server. */
export interface ReleaseInfo {
  name: string;
  version: string;
  /** A hash of everything in the release, in the form of a UUID. */
  id: string;
  /** The release's target: `linux_x64`, `linux_arm64`. */
  target: string;
  env: 'dev' | 'prod';
  node: string;
  app: Pick<
    FirmwareInfo['app'],
    'beatTimeoutMs' | 'maxRestarts' | 'restartWindowMs' | 'stopTimeoutMs' | 'env'
  >;
}

/** Where things are in a release that has been unpacked. */
export interface ReleasePaths {
  root: string;
  lib: string;
  /** Outlives the release where the operator says so: logs, pid file, the app's data. */
  var: string;
}

export function readRelease({ lib }: ReleasePaths): ReleaseInfo {
  return JSON.parse(readFileSync(join(lib, 'release.json'), 'utf8')) as ReleaseInfo;
}

/** `node.args`: arguments of node itself, one a line; empty lines and those that begin with # are passed over. */
export function parseNodeArgs(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** hearthd's own, which the app must not take for its own: a beat of the app's would keep a hung hearthd alive. */
const HEARTHD_ONLY = ['HEART_FD', 'HEART_BEAT_TIMEOUT', 'HEARTH_LOG'];

/** What the app, and `eval`, find in their environment. What the operator sets wins over what was built in. */
export function releaseEnvironment(
  info: ReleaseInfo,
  paths: ReleasePaths,
  own: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = {
    NODE_ENV: 'production',
    ...info.app.env,
    ...own,
    FW_ENV: info.env,
    HEARTH_TARGET: info.target,
    HEARTH_SLOT: 'server',
    HEARTH_UUID: info.id,
    HEARTH_PRODUCT: info.name,
    HEARTH_VERSION: info.version,
    HEARTH_APP_CONFIG: join(paths.lib, 'config.json'),
    HEARTH_DATA: join(paths.var, 'data'),
    HEARTH_HEART: join(paths.lib, 'heart'),
    HEARTH_BEAT_MS: String(info.app.beatTimeoutMs),
  };
  for (const name of HEARTHD_ONLY) delete env[name];
  return env;
}
