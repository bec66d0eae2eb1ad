/** The library that apps import as `hearthfw`. It imports nothing else of Hearth and no npm package. */
export { type Env, env } from './config/env.ts';
export { Secret } from './config/secret.ts';
export { config } from './config/settings.ts';
export { type DataState, type Device, device } from './device.ts';
export { type Health, health } from './health.ts';
export {
  type Backend,
  type BackendOptions,
  consoleBackend,
  type Fields,
  type FileBackendOptions,
  type Formatter,
  fileBackend,
  jsonFormatter,
  type Level,
  type Logger,
  type Logging,
  type LogRecord,
  logger,
  logging,
  type RingBackend,
  ringBackend,
  textFormatter,
  timedTextFormatter,
} from './logger/index.ts';
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
