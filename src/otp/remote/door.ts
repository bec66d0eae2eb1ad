import { config } from '../config/settings.ts';
import { device } from '../device.ts';
import { health } from '../health.ts';
import { logger, logging } from '../logger/index.ts';
import { named } from '../server/ref.ts';
import { namedDynamicSupervisor } from '../supervisor/dynamic.ts';
import { namedSupervisor } from '../supervisor/supervisor.ts';
import * as sys from '../sys/index.ts';

/**
 * What an expression that is evaluated inside an app finds besides Node's own globals: by name, all that looks at
 * processes. Not the whole library: each app's bundle would carry what the app itself does not use.
 */
export const door = {
  sys,
  processes: sys.processes,
  tree: sys.tree,
  named,
  namedSupervisor,
  namedDynamicSupervisor,
  logger,
  logging,
  health,
  device,
  config,
};
