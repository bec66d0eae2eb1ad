import { LATE_MS } from './ledger.ts';
import type { Books, FromProgram, Rest } from './protocol.ts';

const MIB = 2 ** 20;

/** What was seen from outside, once a second. */
export interface Sample {
  atMs: number;
  rss: number;
  heap: number;
  descriptors: number;
  threads: number;
  children: number;
  zombies: number;
  loopMaxMs: number;
  loopP99Ms: number;
}

export interface Zombie {
  pid: number;
  command: string;
  forMs: number;
}

/** Another soak that was killed with all that it had. */
export interface Victim {
  afterMs: number;
  /** Processes that it had at that moment. */
  had: number;
  /** Those that lived on. */
  left: string[];
}

/** All that is known of a soak when it is over. */
export interface Findings {
  samples: Sample[];
  rests: Rest[];
  zombies: Zombie[];
  faults: Extract<FromProgram, { type: 'fault' }>[];
  victims: Victim[];
  /** Missing when the program has not come to its end. */
  books: Books | undefined;
  /** How the program ended: 0, or what else. */
  exit: string;
  /** What it left behind: processes, cgroups. */
  orphans: string[];
}

export interface Verdict {
  /** The same in every soak. */
  promise: string;
  kept: boolean;
  found: string;
}

/** Growth that may be, over the time that was measured: of what V8 does as it learns, and of what leaks a little. */
export interface MemoryBound {
  once: number;
  perMinute: number;
}
export const HEAP_BOUND: MemoryBound = { once: 2 * MIB, perMinute: 64 * 1024 };
export const RSS_BOUND: MemoryBound = { once: 32 * MIB, perMinute: 512 * 1024 };
/** In the first minutes the collector's spaces, and the allocator's, grow to what the load needs. */
const RSS_WARMING: MemoryBound = { once: 192 * MIB, perMinute: 0 };
const RSS_WARM_MS = 180_000;
/** So long may the event loop stand: far more than it does, as the machine may have other things to do. */
export const LOOP_BOUND_MS = 4_000;
/** A zombie is what its parent has not waited for as long as this. */
export const ZOMBIE_BOUND_MS = 1_000;
/** What came before, when this part of the soak was over, is warming up. */
const WARM_UP = 1 / 3;

export function verdicts(of: Findings): Verdict[] {
  const { samples, rests, zombies, faults, victims, books, exit, orphans } = of;
  const compared = rests.reduce((sum, rest) => sum + rest.restartsCompared, 0);
  const differences = rests.flatMap((rest) => rest.differences);
  const unanswered = rests.flatMap((rest) => rest.unanswered);
  const wrong = rests.flatMap((rest) => rest.restartsWrong);
  const loop = Math.max(...samples.map(({ loopMaxMs }) => loopMaxMs));
  const survivors = victims.filter(({ left }) => left.length > 0);
  const unarmed = victims.filter(({ had }) => had < 3);
  return [
    flat(
      'the heap is flat, from rest to rest',
      rests.map(({ atMs, heap }) => [atMs, heap]),
      HEAP_BOUND,
    ),
    flat(
      'buffers are flat, from rest to rest',
      rests.map(({ atMs, buffers }) => [atMs, buffers]),
      HEAP_BOUND,
    ),
    flat(
      'the resident memory is flat',
      samples.map(({ atMs, rss }) => [atMs, rss]),
      (samples.at(-1)?.atMs ?? 0) < RSS_WARM_MS ? RSS_WARMING : RSS_BOUND,
    ),
    none('at rest all is as it was in the beginning', differences, `${rests.length} rests`),
    none('no zombie is older than a second', zombies.map(describeZombie), `${samples.length} looks`),
    none(
      'nothing is unhandled, and nothing warns',
      faults.map(({ kind, what }) => `${kind}: ${what}`),
      'none',
    ),
    none('every call is answered or refused', unanswered, 'none is open at any rest'),
    verdict(
      'every call is settled in time',
      (books?.latestMs ?? Infinity) <= LATE_MS,
      `the latest was ${Math.round(books?.latestMs ?? NaN)} ms after its time-out (bound ${LATE_MS})`,
    ),
    verdict(
      'the event loop turns',
      samples.length > 0 && loop <= LOOP_BOUND_MS,
      `it stood for at most ${Math.round(loop)} ms (bound ${LOOP_BOUND_MS})`,
    ),
    verdict(
      'restarts are those that were told of',
      wrong.length === 0 && compared > 0,
      wrong[0] ?? `${compared} compared`,
    ),
    verdict(
      'everything did what it says',
      books?.complained === 0,
      books ? `${books.complained} complaints${listed(books.complaints)}` : 'it has not come to its end',
    ),
    none('no process of the library is left', books?.left ?? ['it has not come to its end'], 'none'),
    verdict('the program ends by itself', exit === '0', `it ended with ${exit}`),
    none('no orphan is left', orphans, 'none'),
    verdict(
      'a program that is killed takes its programs with it',
      victims.length > 0 && survivors.length === 0 && unarmed.length < victims.length,
      survivors[0]
        ? `${survivors.length} of ${victims.length} left some, as ${survivors[0].left}`
        : `${victims.length} killed, with ${victims.map(({ had }) => had).join(', ')} processes`,
    ),
  ];
}

/** The median of the slopes between all pairs: one that is far off changes nothing (Theil and Sen). Units a millisecond. */
export function slope(points: readonly (readonly [number, number])[]): number {
  const slopes: number[] = [];
  for (const [i, [x1, y1]] of points.entries())
    for (const [x2, y2] of points.slice(i + 1)) if (x2 > x1) slopes.push((y2 - y1) / (x2 - x1));
  slopes.sort((a, b) => a - b);
  const middle = slopes.length / 2;
  return ((slopes[Math.ceil(middle) - 1] ?? 0) + (slopes[Math.floor(middle)] ?? 0)) / 2;
}

function flat(promise: string, all: readonly (readonly [number, number])[], bound: MemoryBound): Verdict {
  const lastMs = all.at(-1)?.[0] ?? 0;
  const points = thin(all.filter(([atMs]) => atMs >= lastMs * WARM_UP));
  const minutes = (lastMs - (points[0]?.[0] ?? lastMs)) / 60_000;
  const perMinute = slope(points) * 60_000;
  const allowed = bound.once / Math.max(minutes, 1 / 60) + bound.perMinute;
  return verdict(
    promise,
    points.length >= 3 && perMinute <= allowed,
    `${kib(perMinute)} a minute over ${minutes.toFixed(1)} min (bound ${kib(allowed)}), ${points.length} points`,
  );
}

/** Pairs grow with the square: half an hour of seconds would make a million and a half. */
function thin<T>(points: readonly T[], most = 300): T[] {
  const step = Math.ceil(points.length / most);
  return points.filter((_, at) => at % step === 0);
}

function verdict(promise: string, kept: boolean, found: string): Verdict {
  return { promise, kept, found };
}

function none(promise: string, found: readonly string[], otherwise: string): Verdict {
  return verdict(
    promise,
    found.length === 0,
    found.length === 0 ? otherwise : `${found.length}${listed(found)}`,
  );
}

function listed(found: readonly string[]): string {
  return found
    .slice(0, 5)
    .map((one) => `\n    ${one}`)
    .join('');
}

function describeZombie({ pid, command, forMs }: Zombie): string {
  return `${command} (${pid}), for ${Math.round(forMs)} ms`;
}

function kib(bytes: number): string {
  return `${(bytes / 1024).toFixed(1)} KiB`;
}
