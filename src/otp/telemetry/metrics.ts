import type { Measurements, Metadata } from './events.ts';
import type { Aggregate, Figures, Metric } from './metric.ts';
import { attach } from './telemetry.ts';

/** One metric for one combination of tags. */
export type MetricFigures = Figures & { name: string; tags: Record<string, string> };

export interface MetricsOptions {
  /** How many combinations of tags each metric may have; what is beyond is counted as left out. The default is 1,000. */
  maxSeries?: number | undefined;
}

interface Series {
  tags: Record<string, string>;
  aggregate: Aggregate;
}

let lastStore = 0;

/**
 * Listens to events and keeps what its metrics make of them, in memory that is bounded: however long the program runs, and
 * whatever the tags are.
 */
export class Metrics implements Disposable {
  readonly #metrics: { metric: Metric; series: Map<string, Series> }[];
  readonly #maxSeries: number;
  readonly #detach: (() => void)[];
  #dropped = 0;

  constructor(metrics: readonly Metric[], { maxSeries = 1_000 }: MetricsOptions = {}) {
    this.#maxSeries = maxSeries;
    this.#metrics = metrics.map((metric) => ({ metric, series: new Map() }));
    const store = ++lastStore;
    const events = new Set(metrics.map(({ event }) => event));
    this.#detach = Array.from(events, (event) => {
      const same = this.#metrics.filter(({ metric }) => metric.event === event);
      return attach(`metrics-${store}:${event}`, event, (measurements: Measurements, metadata: Metadata) => {
        for (const { metric, series } of same) this.#count(metric, series, measurements, metadata);
      });
    });
  }

  /** What was left out: values that are no finite numbers, and combinations of tags beyond `maxSeries`. */
  get dropped(): number {
    return this.#dropped;
  }

  /** What all metrics have come to. A metric of which there was nothing yet is not there. */
  snapshot(): MetricFigures[] {
    return this.#metrics.flatMap(({ metric, series }) =>
      Array.from(series.values(), ({ tags, aggregate }) => ({
        name: metric.name,
        tags: { ...tags },
        ...aggregate.figures(),
      })),
    );
  }

  /** Begins anew: for figures of the last minute, not of all time. */
  reset(): void {
    for (const { series } of this.#metrics) series.clear();
    this.#dropped = 0;
  }

  /** Listens no more. What it has is kept. */
  [Symbol.dispose](): void {
    for (const detach of this.#detach) detach();
  }

  #count(metric: Metric, all: Map<string, Series>, measurements: Measurements, metadata: Metadata): void {
    const value = metric.measurement === undefined ? 1 : measurements[metric.measurement];
    if (value === undefined || (metric.where && !metric.where(metadata, measurements))) return;
    const names = metric.tags ?? [];
    const values = names.map((name) => String(metadata[name] ?? ''));
    const key = values.length > 1 ? JSON.stringify(values) : (values[0] ?? '');
    let series = all.get(key);
    if (!Number.isFinite(value) || (!series && all.size >= this.#maxSeries)) {
      this.#dropped++;
      return;
    }
    if (!series) {
      const tags = Object.fromEntries(names.map((name, at) => [name, values[at] ?? '']));
      series = { tags, aggregate: metric.make() };
      all.set(key, series);
    }
    series.aggregate.add(value);
  }
}
