import { Ring } from './ring.ts';

/** What the scheduler runs: something with messages to handle. */
export interface Runnable {
  /** Handles at most `most` messages now and returns how many it did; it queues itself again when more wait. */
  turn(most: number): number;
}

/** Messages that one process handles before the next one's turn. */
const TURN = 100;
/** Messages between two looks of the event loop at timers and sockets. */
const SLICE = 10_000;

const queue = new Ring<Runnable>(1024);
let scheduled = false;

/** Gives a process a turn, soon: before the event loop goes on, unless others have kept it busy for a slice. */
export function enqueue(process: Runnable): void {
  queue.push(process);
  if (scheduled) return;
  scheduled = true;
  queueMicrotask(runSlice);
}

function runSlice(): void {
  let left = SLICE;
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    left -= next.turn(TURN);
    if (left > 0) continue;
    // Promises' continuations alone would keep I/O and timers out for ever.
    setImmediate(runSlice);
    return;
  }
  scheduled = false;
}
