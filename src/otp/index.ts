/** The library that apps import as `hearthfw`. It imports nothing else of Hearth and no npm package. */

export { AgentRef, agent, namedAgent, startAgent } from './agent/agent.ts';
export {
  type Application,
  type ApplicationEnd,
  Applications,
  startApplications,
} from './application/application.ts';
export { ApplicationError } from './application/order.ts';
export { CLIENT_TIMES, Client, ClientError, type ClientTimes } from './client/client.ts';
export { type Env, env } from './config/env.ts';
export {
  defineRuntime,
  RuntimeConfigError,
  type RuntimeSchema,
  type RuntimeValues,
  runtimeConfig,
} from './config/runtime.ts';
export { Secret } from './config/secret.ts';
export { config } from './config/settings.ts';
export { type Variable, vars } from './config/variable.ts';
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
export { PoolError, PoolFullError, PoolTimeoutError } from './pool/errors.ts';
export { type CheckoutOptions, namedPool, PoolLease, PoolRef, pool } from './pool/pool.ts';
export type { PoolOptions, PoolStatus } from './pool/pool-server.ts';
export type { PortLimits } from './port/cgroup.ts';
export { PortBusyError, PortError, PortExitError, PortFrameError } from './port/errors.ts';
export type { OsExit, StopTimes } from './port/os-process.ts';
export {
  type LineOptions,
  type LogOptions,
  openPort,
  type PacketOptions,
  Port,
  type PortOptions,
  type RawOptions,
} from './port/port.ts';
export { PortServer } from './port/port-server.ts';
export { Program, port } from './port/program.ts';
export type { Address } from './process/address.ts';
export {
  CallError,
  OverloadError,
  ReplyError,
  StartError,
  TimeoutError,
  UnknownMessageError,
} from './process/errors.ts';
export type { Later } from './process/later.ts';
export { Down, type Monitor } from './process/monitor.ts';
export { AlreadyStartedError, type Via } from './process/names.ts';
export { OwnerError } from './process/owner.ts';
export { describeReason, type ExitReason, isOrderly, Shutdown } from './process/reason.ts';
export { onReport, type Report } from './process/reports.ts';
export { Exit } from './process/signals.ts';
export {
  type BagTable,
  bagTable,
  DuplicateRegistry,
  type Entry,
  GroupChange,
  type GroupMonitor,
  Groups,
  namedBagTable,
  namedTable,
  Registry,
  type Reply,
  type SetTable,
  type TableAccess,
  TableError,
  type TableInfo,
  type TableOptions,
  TableTransfer,
  table,
  tables,
} from './registry/index.ts';
export { type App, run } from './run.ts';
export { CALL_TIMEOUT_MS, named, type ServerRef } from './server/ref.ts';
export { Server } from './server/server.ts';
export type { ServerClass } from './server/server-process.ts';
export { type StartOptions, start } from './server/start.ts';
export { onStop, type StopHandler } from './stop.ts';
export {
  type ChildOptions,
  type ChildSpec,
  child,
  type Restart,
  // `Shutdown` is the reason of an end.
  type Shutdown as ShutdownLimit,
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
export * as sys from './sys/index.ts';
export { type Outcome, Task, type TaskOptions } from './task/task.ts';
export { namedTaskSupervisor, TaskSupervisorRef, taskSupervisor } from './task/task-supervisor.ts';
export type { TelemetryEvents } from './telemetry/events.ts';
export * as telemetry from './telemetry/index.ts';
export * as timer from './timer/timer.ts';
export { WorkerError, WorkerReplyError } from './worker/wire.ts';
export type { WorkerOptions } from './worker/worker-process.ts';
export { type WorkerClass, workerServer } from './worker/worker-server.ts';
