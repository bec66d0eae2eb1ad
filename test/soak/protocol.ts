import type { Counts } from './counts.ts';

/** What the program tells who watches it. */
export type FromProgram =
  | { type: 'up'; seed: number; counts: Counts }
  | { type: 'sample'; heap: number; loopMaxMs: number; loopP99Ms: number }
  | ({ type: 'rest' } & Rest)
  | { type: 'fault'; kind: 'unhandledRejection' | 'uncaughtException' | 'warning'; what: string }
  | ({ type: 'end' } & Books);

/** What is asked of it. */
export type ToProgram = { type: 'sample' };

/** The load has stopped for a moment, and everything should be as it was in the beginning. */
export interface Rest {
  /** Since the tree was up. */
  atMs: number;
  /** What is not. */
  differences: string[];
  /** Calls that nobody settled. */
  unanswered: string[];
  /** Bytes, after garbage was collected. */
  heap: number;
  /** Bytes of buffers, outside of the heap. */
  buffers: number;
  /** Children whose restarts were compared with the reports about them, and those that differed. */
  restartsCompared: number;
  restartsWrong: string[];
}

export interface Books {
  outcomes: Record<string, number>;
  reports: Record<string, number>;
  complained: number;
  complaints: string[];
  /** The latest settling of a call, after its time-out. */
  latestMs: number;
  /** What is left when the tree is down. */
  left: string[];
}
