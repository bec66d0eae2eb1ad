import './process-events.ts';

export type {
  EventName,
  HandlerFailure,
  Measurements,
  MeasurementsOf,
  Metadata,
  MetadataOf,
  TelemetryEvents,
} from './events.ts';
export {
  counter,
  distribution,
  type Figures,
  lastValue,
  type Metric,
  type MetricOptions,
  sum,
  summary,
} from './metric.ts';
export { type MetricFigures, Metrics, type MetricsOptions } from './metrics.ts';
export { type AddMetadata, span } from './span.ts';
export {
  AlreadyAttachedError,
  attach,
  detach,
  type EventHandler,
  execute,
  handlersOf,
  listening,
} from './telemetry.ts';
