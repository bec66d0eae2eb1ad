/** What the processes of a campaign tell each other: environment variables one way, files the other. */

/** From main.ts to the tests. */
export interface Orders {
  /** No property begins another round after this, ms since 1970. */
  until: number;
  /** How long one property goes on, ms. */
  eachMs: number;
  /** The only seed to try: a failure is looked at again. */
  seed?: number;
  /** The folder for the files below. */
  folder: string;
}

export const ORDERS = 'HEARTH_FUZZ';
/** For each process of tests its running round, written over. It says what hung, or took the process down. */
export const RUNNING = 'running-';
/** A line for each property that has ended. */
export const DONE = 'done.jsonl';

export interface Round {
  pid: number;
  test: string;
  file: string;
  seed: number;
  began: number;
}

export interface Done {
  test: string;
  file: string;
  rounds: number;
  cases: number;
  /** Processor time of all cases together, and of the slowest one with the seed that made it. */
  cpuMs: number;
  slowest: { cpuMs: number; seed: number };
  /** fast-check's words: seed, path, and the smallest case. */
  failure?: string;
}

/** One property's part in several passes, as one. */
export function added(one: Done | undefined, other: Done): Done {
  if (one === undefined) return other;
  return {
    ...one,
    rounds: one.rounds + other.rounds,
    cases: one.cases + other.cases,
    cpuMs: one.cpuMs + other.cpuMs,
    slowest: one.slowest.cpuMs > other.slowest.cpuMs ? one.slowest : other.slowest,
  };
}

/** A case that takes this long is worth a look, if the others of its property do not: no collection of garbage does. */
const SLOW_MS = 500;

export function isSlow({ cases, cpuMs, slowest }: Done): boolean {
  const others = (cpuMs - slowest.cpuMs) / Math.max(1, cases - 1);
  return slowest.cpuMs > SLOW_MS && slowest.cpuMs > 10 * others;
}
