import { emitWarning } from 'node:process';
import { thrownReason } from '../process/reason.ts';
import type {
  EventName,
  HandlerFailure,
  Measurements,
  MeasurementsOf,
  Metadata,
  MetadataOf,
} from './events.ts';

/** Runs inside whoever executes the event: it must be quick. One that throws is detached. */
export type EventHandler<E = string> = (
  measurements: MeasurementsOf<E>,
  metadata: MetadataOf<E>,
  event: string,
) => void;

interface Attached {
  readonly id: string;
  /** An event's name, or the beginning of names with `*` behind it. */
  readonly pattern: string;
  readonly handler: (measurements: Measurements, metadata: Metadata, event: string) => void;
}

/** A handler's id that another has. */
export class AlreadyAttachedError extends Error {
  readonly code = 'already-attached';
  constructor(id: string) {
    super(`a telemetry handler '${id}' is attached already`);
    this.name = 'AlreadyAttachedError';
  }
}

/** Names whose handlers are remembered; who makes names up, with ids in them, must not fill the memory. */
const REMEMBERED = 1_000;

const attached = new Map<string, Attached>();
const byEvent = new Map<string, readonly Attached[]>();
const watchers: ((listening: boolean) => void)[] = [];

/** Something is told whether anybody listens at all: so that it costs nothing while nobody does. */
export function whileListening(watch: (listening: boolean) => void): void {
  watchers.push(watch);
}

/**
 * Attaches a handler to an event, or to all whose names begin as `'http.*'` does. Returns what detaches it.
 * @throws AlreadyAttachedError
 */
export function attach<E extends EventName>(id: string, event: E, handler: EventHandler<E>): () => void {
  if (attached.has(id)) throw new AlreadyAttachedError(id);
  const mine: Attached = { id, pattern: event, handler: handler as Attached['handler'] };
  attached.set(id, mine);
  byEvent.clear();
  if (attached.size === 1) for (const watch of watchers) watch(true);
  return () => {
    if (attached.get(id) === mine) detach(id);
  };
}

/** False when there was none. */
export function detach(id: string): boolean {
  if (!attached.delete(id)) return false;
  byEvent.clear();
  if (attached.size === 0) for (const watch of watchers) watch(false);
  return true;
}

/** The ids of the handlers that an event would reach. */
export function handlersOf(event: EventName): string[] {
  return handlers(event).map(({ id }) => id);
}

/**
 * Tells the handlers of an event, in the order in which they were attached, before it returns. It never throws. While
 * nobody listens to anything it costs next to nothing; what is costly to measure asks `listening(event)` first.
 */
export function execute<E extends EventName>(
  event: E,
  measurements: MeasurementsOf<E>,
  ...[metadata]: Record<never, never> extends MetadataOf<E>
    ? [metadata?: MetadataOf<E>]
    : [metadata: MetadataOf<E>]
): void {
  if (attached.size === 0) return;
  for (const mine of handlers(event)) tell(mine, event, measurements, (metadata ?? {}) as Metadata);
}

export function anyoneListens(): boolean {
  return attached.size > 0;
}

/** Whether anybody listens to an event. */
export function listening(event: EventName): boolean {
  return attached.size > 0 && handlers(event).length > 0;
}

function handlers(event: string): readonly Attached[] {
  const known = byEvent.get(event);
  if (known) return known;
  const found = [...attached.values()].filter(({ pattern }) =>
    pattern.endsWith('*') ? event.startsWith(pattern.slice(0, -1)) : event === pattern,
  );
  if (byEvent.size >= REMEMBERED) byEvent.clear();
  byEvent.set(event, found);
  return found;
}

function tell(mine: Attached, event: string, measurements: Measurements, metadata: Metadata): void {
  // One before it may have detached it.
  if (attached.get(mine.id) !== mine) return;
  try {
    mine.handler(measurements, metadata, event);
  } catch (thrown) {
    detach(mine.id);
    const error = thrownReason(thrown);
    const failure: HandlerFailure = { id: mine.id, pattern: mine.pattern, event, error };
    emitWarning(`telemetry handler '${mine.id}' threw at '${event}', and is detached: ${error.stack}`);
    execute('telemetry.handler.failure', { count: 1 }, failure);
  }
}
