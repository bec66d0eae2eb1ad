import { isOffline } from '../../../bin/pinned-node.js';

/** Where one run of a command gets systems from, beside the cache. */
export interface Sources {
  /** Use no network: what is not on this machine is missing. */
  offline: boolean;
  /** A folder of system archives, as `npm pack` names them. */
  systemsFolder?: string;
  /** A system archive may be installed as a dependency of the project. */
  projectDir?: string;
  /** What npm said of packages that it could not fetch: it is asked once a run, because asking takes seconds. */
  refused: Map<string, string>;
}

/** The sources that the environment names: HEARTH_OFFLINE and HEARTH_SYSTEMS. */
export function sourcesOf(
  env: NodeJS.ProcessEnv,
  { offline = false, projectDir }: { offline?: boolean; projectDir?: string } = {},
): Sources {
  return {
    offline: offline || isOffline(env),
    ...(env.HEARTH_SYSTEMS ? { systemsFolder: env.HEARTH_SYSTEMS } : {}),
    ...(projectDir ? { projectDir } : {}),
    refused: new Map(),
  };
}
