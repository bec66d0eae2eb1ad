/** Numbers about what has happened: durations in milliseconds, counts, bytes. */
export type Measurements = Readonly<Record<string, number>>;
/** Whatever else is known of it. */
export type Metadata = Readonly<Record<string, unknown>>;

/**
 * The events whose shape is known. A library adds its own:
 *
 * ```ts
 * declare module 'hearthfw' {
 *   interface TelemetryEvents {
 *     'shop.order': { measurements: { cents: number }; metadata: { country: string } };
 *   }
 * }
 * ```
 * Any other name may be used too, with any numbers and data.
 */
export interface TelemetryEvents {
  /** A process was started. */
  'otp.process.start': { measurements: { count: number }; metadata: { process: string; label: string } };
  /** A process has ended by an error. */
  'otp.process.crash': {
    measurements: { count: number };
    metadata: { process: string; label: string; reason: unknown; message: string | undefined };
  };
  /** A mailbox has reached its watermark (`long`), or is down to half of it again. */
  'otp.mailbox.long': {
    measurements: { waiting: number };
    metadata: { process: string; label: string; long: boolean };
  };
  /** A supervisor reports about a child. */
  'otp.supervisor.report': {
    measurements: { count: number };
    metadata: { process: string; what: string; child: string; reason: unknown };
  };
  /** A handler threw, and gets no more events. */
  'telemetry.handler.failure': { measurements: { count: number }; metadata: HandlerFailure };
}

export interface HandlerFailure {
  id: string;
  /** What it was attached to. */
  pattern: string;
  /** What it threw at. */
  event: string;
  error: Error;
}

/** A name of a known event, or any other: editors complete the known ones. */
export type EventName = keyof TelemetryEvents | (string & {});

export type MeasurementsOf<E> = E extends keyof TelemetryEvents
  ? TelemetryEvents[E]['measurements']
  : Measurements;
export type MetadataOf<E> = E extends keyof TelemetryEvents ? TelemetryEvents[E]['metadata'] : Metadata;
