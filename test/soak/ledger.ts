import {
  AlreadyStartedError,
  ApplicationError,
  CallError,
  ClientError,
  OverloadError,
  OwnerError,
  onReport,
  PoolError,
  PortError,
  ReplyError,
  type Report,
  StartError,
  TableError,
  TimeoutError,
  WorkerError,
} from '../../src/otp/index.ts';
import type { Process } from '../../src/otp/process/process.ts';

/** An answer may be so much later than its time-out, on a machine that does other things as well. */
export const LATE_MS = 3_000;
/** How many complaints are kept word for word; all are counted. */
const KEPT = 20;

/** What the documentation says that a call, a start, or a port may fail with: while everything crashes, anything of it. */
const DOCUMENTED = [
  ...[CallError, TimeoutError, OverloadError, ReplyError, StartError, AlreadyStartedError, OwnerError],
  ...[PortError, PoolError, TableError, ClientError, WorkerError, ApplicationError],
];

interface Waiting {
  what: string;
  dueAt: number;
}

/** What a supervisor has reported about its children, by their ids. */
export interface Told {
  terminated: Map<string, number>;
  startErrors: number;
}

/** Keeps the soak's books: what was done, what came of it, and what should not have been. It does not grow with time. */
export class Ledger {
  readonly outcomes: Record<string, number> = {};
  readonly reports: Record<string, number> = {};
  readonly complaints: string[] = [];
  complained = 0;
  /** The latest that an answer came, in milliseconds after its time-out; negative when all were in time. */
  latestMs = -Infinity;
  readonly #waiting = new Set<Waiting>();
  readonly #told = new WeakMap<Process, Told>();

  listen(): () => void {
    return onReport((report) => this.#reported(report));
  }

  count(outcome: string): void {
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
  }

  complain(about: string): void {
    this.complained++;
    if (this.complaints.length < KEPT) this.complaints.push(about);
  }

  /** What a promise gives; undefined when it fails as documented. Everything else is a complaint. */
  async allows<T>(what: string, work: Promise<T> | (() => T | Promise<T>)): Promise<T | undefined> {
    try {
      const value = await (typeof work === 'function' ? work() : work);
      this.count(what);
      return value;
    } catch (thrown) {
      if (!DOCUMENTED.some((kind) => thrown instanceof kind)) throw thrown;
      this.count(`${what}: ${(thrown as Error).name}`);
      return undefined;
    }
  }

  /** The same, of a call: it must be answered, or fail, in time. */
  async call<T>(what: string, timeoutMs: number, answer: Promise<T>): Promise<T | undefined> {
    const waiting = { what, dueAt: performance.now() + timeoutMs };
    this.#waiting.add(waiting);
    try {
      return await this.allows(what, answer);
    } finally {
      this.#waiting.delete(waiting);
      const lateMs = performance.now() - waiting.dueAt;
      this.latestMs = Math.max(this.latestMs, lateMs);
      if (lateMs > LATE_MS) this.complain(`${what}: settled ${Math.round(lateMs)} ms after its time-out`);
    }
  }

  /** Calls that nobody answered, nor refused, though their time has been over for long. */
  get unanswered(): string[] {
    const now = performance.now();
    return [...this.#waiting].filter(({ dueAt }) => now - dueAt > LATE_MS).map(({ what }) => what);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  told(by: Process): Told {
    const known = this.#told.get(by);
    if (known) return known;
    const told: Told = { terminated: new Map(), startErrors: 0 };
    this.#told.set(by, told);
    return told;
  }

  #reported(report: Report): void {
    const { kind, process } = report;
    const what = kind === 'supervisor' ? `supervisor ${report.what}` : kind;
    this.reports[what] = (this.reports[what] ?? 0) + 1;
    if (kind !== 'supervisor') return;
    const told = this.told(process);
    if (report.what === 'start_error') told.startErrors++;
    if (report.what === 'child_terminated')
      told.terminated.set(report.child, (told.terminated.get(report.child) ?? 0) + 1);
  }
}
