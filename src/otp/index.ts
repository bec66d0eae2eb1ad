/** The library that apps import as `hearthfw`. It imports nothing else of Hearth and no npm package. */
export { config } from './config.ts';
export { type DataState, type Device, device } from './device.ts';
export { type Health, health } from './health.ts';
export { type Level, type Logger, logger } from './logger.ts';
export { type App, run } from './run.ts';
export { onStop, type StopHandler } from './stop.ts';
export {
  type ChildOptions,
  type ChildSpec,
  child,
  type Restart,
  type Shutdown,
} from './supervisor/child-spec.ts';
export { DynamicSupervisorRef, dynamicSupervisor, namedDynamicSupervisor } from './supervisor/dynamic.ts';
export { SupervisorError } from './supervisor/errors.ts';
export {
  type ChildCount,
  type ChildInfo,
  namedSupervisor,
  SupervisorRef,
  startSupervisor,
  supervisor,
} from './supervisor/supervisor.ts';
