import type { EventName, Measurements, Metadata } from './events.ts';
import { Quantiles } from './quantiles.ts';

export interface MetricOptions {
  /** By which it is known; the default is the event's name, with the measurement's behind it. */
  name?: string | undefined;
  /** Keys of the metadata: each combination of their values is counted by itself. */
  tags?: readonly string[] | undefined;
  /** Only what this accepts is counted. */
  where?: ((metadata: Metadata, measurements: Measurements) => boolean) | undefined;
}

/** What is to be made of an event: `counter`, `sum`, `lastValue`, `summary`, `distribution` give it. */
export interface Metric extends MetricOptions {
  readonly kind: Figures['kind'];
  readonly name: string;
  readonly event: string;
  /** Undefined of a counter: it counts the event itself. */
  readonly measurement: string | undefined;
  readonly make: () => Aggregate;
}

/** What a metric has come to. */
export type Figures =
  | { kind: 'counter'; value: number }
  | { kind: 'sum'; value: number }
  | { kind: 'lastValue'; value: number }
  /** The quantiles are within 1% of their values; all others are exact. */
  | {
      kind: 'summary';
      count: number;
      sum: number;
      min: number;
      max: number;
      mean: number;
      p50: number;
      p90: number;
      p99: number;
    }
  /** How many values were at most as large as each bound, and larger than the one before; the last is Infinity. */
  | { kind: 'distribution'; count: number; sum: number; buckets: { upTo: number; count: number }[] };

export interface Aggregate {
  add(value: number): void;
  figures(): Figures;
}

/** How often an event was executed. */
export function counter(event: EventName, options: MetricOptions = {}): Metric {
  return define('counter', event, undefined, options, () => {
    let value = 0;
    return {
      add: () => {
        value++;
      },
      figures: () => ({ kind: 'counter', value }),
    };
  });
}

/** All values of a measurement together. */
export function sum(event: EventName, measurement: string, options: MetricOptions = {}): Metric {
  return define('sum', event, measurement, options, () => {
    let total = 0;
    return {
      add: (value) => {
        total += value;
      },
      figures: () => ({ kind: 'sum', value: total }),
    };
  });
}

/** The newest value of a measurement. */
export function lastValue(event: EventName, measurement: string, options: MetricOptions = {}): Metric {
  return define('lastValue', event, measurement, options, () => {
    let last = 0;
    return {
      add: (value) => {
        last = value;
      },
      figures: () => ({ kind: 'lastValue', value: last }),
    };
  });
}

/** How the values of a measurement are spread: count, sum, least, greatest, mean, p50, p90 and p99, in bounded memory. */
export function summary(event: EventName, measurement: string, options: MetricOptions = {}): Metric {
  return define('summary', event, measurement, options, () => new Summary());
}

/** How many values of a measurement fall between bounds, as Prometheus' histograms count; the bounds ascend. */
export function distribution(
  event: EventName,
  measurement: string,
  bounds: readonly number[],
  options: MetricOptions = {},
): Metric {
  if (bounds.some((bound, at) => !(bound > (bounds[at - 1] ?? -Infinity))))
    throw new RangeError(`the bounds of a distribution must ascend: ${bounds.join(', ')}`);
  return define('distribution', event, measurement, options, () => new Distribution(bounds));
}

class Summary implements Aggregate {
  readonly #quantiles = new Quantiles();
  #sum = 0;
  #min = Infinity;
  #max = -Infinity;

  add(value: number): void {
    this.#quantiles.add(value);
    this.#sum += value;
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
  }

  figures(): Figures {
    const [min, max, sum] = [this.#min, this.#max, this.#sum];
    const { count } = this.#quantiles;
    // The middle of the last bucket may lie beyond what was ever measured.
    const [p50 = 0, p90 = 0, p99 = 0] = this.#quantiles
      .at(0.5, 0.9, 0.99)
      .map((value) => Math.min(max, Math.max(min, value ?? 0)));
    return { kind: 'summary', count, sum, min, max, mean: sum / count, p50, p90, p99 };
  }
}

class Distribution implements Aggregate {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = [...bounds.filter((bound) => bound !== Infinity), Infinity];
    this.#counts = this.#bounds.map(() => 0);
  }

  add(value: number): void {
    const at = this.#bounds.findIndex((bound) => value <= bound);
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  figures(): Figures {
    const buckets = this.#bounds.map((upTo, at) => ({ upTo, count: this.#counts[at] ?? 0 }));
    const count = this.#counts.reduce((all, one) => all + one, 0);
    return { kind: 'distribution', count, sum: this.#sum, buckets };
  }
}

function define(
  kind: Metric['kind'],
  event: string,
  measurement: string | undefined,
  options: MetricOptions,
  make: () => Aggregate,
): Metric {
  const name = options.name ?? (measurement === undefined ? event : `${event}.${measurement}`);
  return { ...options, kind, name, event, measurement, make };
}
