export { state } from '../server/state.ts';
export { type ProcessInfo, type ProcessTree, processes, tree } from './processes.ts';
export {
  getState,
  getStatus,
  replaceState,
  resume,
  type StateOf,
  type Statistics,
  type SystemStatus,
  statistics,
  suspend,
} from './sys.ts';
export { type Trace, type TraceEvent, type TraceOptions, trace } from './trace.ts';
