import { Ring } from './ring.ts';

/** What the scheduler runs: something with messages to handle. */
export interface Runnable {
  /** Handles at most `most` messages now and returns how many it did; it queues itself again when more wait. */
  turn(most: number): number;
  /** Milliseconds that its turns took so far; the scheduler counts. */
  busyMs: number;
}

/** Messages that one process handles before the next one's turn. */
const TURN = 100;
/** Messages, and milliseconds, between two looks of the event loop at timers and sockets: whichever is used up first. */
const SLICE = 10_000;
const SLICE_MS = 10;

// Kept from the start: a test that fakes the clock must not stop every process with it.
const { setImmediate } = globalThis;

const queue = new Ring<Runnable>(1024);
let scheduled = false;
let left = SLICE;
/** When this turn of the event loop has given enough time to processes; of `performance.now()`. */
let until = Infinity;

/** Gives a process a turn, soon: before the event loop goes on, unless others have kept it busy for a slice. */
export function enqueue(process: Runnable): void {
  queue.push(process);
  if (scheduled) return;
  scheduled = true;
  queueMicrotask(runSlice);
}

/**
 * One slice is for all that happens before the event loop turns: two processes that wake each other through promises
 * begin here anew at every message, and would keep timers and sockets out for ever if each began a slice of its own.
 */
function runSlice(): void {
  let now = performance.now();
  if (until === Infinity) {
    until = now + SLICE_MS;
    setImmediate(looped);
  }
  try {
    while (left > 0 && now <= until) {
      const process = queue.shift();
      if (!process) break;
      left -= process.turn(TURN);
      const before = now;
      now = performance.now();
      process.busyMs += now - before;
    }
  } finally {
    // `looped` goes on with what is left: also after an error, which can only be this library's own.
    scheduled = queue.length > 0;
  }
}

function looped(): void {
  until = Infinity;
  left = SLICE;
  if (scheduled) runSlice();
}
