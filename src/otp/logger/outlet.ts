import { Ring } from '../process/ring.ts';
import { textFormatter } from './format.ts';
import { LEVELS, type Level, OFF, type Rank, rankOf } from './level.ts';
import { plain, reasonOf } from './plain.ts';
import type { Formatter, LogRecord } from './record.ts';

/** Where lines go. */
export interface Backend {
  /** Takes a line, with its newline. `false`: no more, until `onReady`'s callback is called. It may throw: the line is then lost. */
  write(line: string, record: LogRecord): unknown;
  /** Called once; needed where `write` may return `false`. */
  onReady?(ready: () => void): void;
  /** Called before the process ends: writes what is kept back, without waiting for anything. */
  flush?(): void;
  close?(): void;
}

export interface BackendOptions {
  /** Records below it do not come here; the modules' own levels have been looked at before. */
  level?: Level | 'none';
  /** The default is `textFormatter`. */
  format?: Formatter;
  /** How many records may wait for a backend that is busy; the default is 1,000. */
  limit?: number;
}

/** How records are dropped: debug and info first, then notice and warning, then error and critical. */
const CLASS_OF_RANK = [0, 0, 1, 1, 2, 2] as const;

interface Waiting {
  order: number;
  line: string;
  record: LogRecord;
}

/** One backend with its formatter and its bounded queue. No method throws. */
export class Outlet {
  readonly backend: Backend;
  readonly lowest: Rank;
  readonly #format: Formatter;
  readonly #limit: number;
  readonly #queues: [Ring<Waiting>, Ring<Waiting>, Ring<Waiting>] = [new Ring(), new Ring(), new Ring()];
  readonly #dropped = new Array<number>(OFF).fill(0);
  #lost = 0;
  #lostBy = '';
  #busy = false;
  #order = 0;
  #waiting = 0;

  constructor(backend: Backend, options: BackendOptions) {
    this.backend = backend;
    this.lowest = rankOf(options.level ?? 'debug');
    this.#format = options.format ?? textFormatter;
    this.#limit = Math.max(1, options.limit ?? 1_000);
    attempt(() => backend.onReady?.(() => this.#ready()));
  }

  /** Records that wait for the backend. */
  get waiting(): number {
    return this.#waiting;
  }

  /** Whether the record has been taken care of, by being dropped too; not when the backend threw. */
  accept(record: LogRecord, rank: Rank): boolean {
    if (rank < this.lowest) return true;
    if (this.#busy) {
      this.#enqueue(record, rank);
      return true;
    }
    const written = this.#write(this.#line(record), record);
    if (written && (this.#lost > 0 || this.#waiting > 0)) this.#ready();
    return written;
  }

  flush(): void {
    this.#busy = false;
    this.#drain(true);
    attempt(() => this.backend.flush?.());
  }

  close(): void {
    this.flush();
    attempt(() => this.backend.close?.());
  }

  #line(record: LogRecord): string {
    try {
      const line = this.#format(record);
      if (typeof line === 'string') return line;
      throw new TypeError('the formatter gave no text');
    } catch (error) {
      return textFormatter({
        ...record,
        fields: { ...shallow(record.fields), formatterFailed: reasonOf(error) },
      });
    }
  }

  #write(line: string, record: LogRecord): boolean {
    try {
      this.#busy = this.backend.write(line, record) === false;
      return true;
    } catch (error) {
      this.#lost++;
      this.#lostBy = reasonOf(error);
      return false;
    }
  }

  #enqueue(record: LogRecord, rank: Rank): void {
    const own = CLASS_OF_RANK[rank] ?? 2;
    if (this.#waiting >= this.#limit) {
      // The oldest of what matters least makes room; where nothing matters less, the new one goes: old errors say
      // how the trouble began.
      const victim = this.#queues.slice(0, own).find((queue) => queue.length > 0);
      const dropped = victim?.shift();
      this.#count(dropped ? rankOf(dropped.record.level) : rank);
      if (!dropped) return;
      this.#waiting--;
    }
    // Made now: what the fields refer to may have changed when its turn comes.
    this.#queues[own].push({ order: this.#order++, line: this.#line(record), record });
    this.#waiting++;
  }

  #count(rank: Rank): void {
    this.#dropped[rank] = (this.#dropped[rank] ?? 0) + 1;
  }

  #ready(): void {
    this.#busy = false;
    this.#drain(false);
  }

  #drain(last: boolean): void {
    for (let next = this.#next(); next; next = this.#next()) {
      this.#write(next.line, next.record);
      if (this.#busy && !last) return;
    }
    this.#summarize();
  }

  /** The oldest that waits, of whatever class. */
  #next(): Waiting | undefined {
    let oldest: Ring<Waiting> | undefined;
    let order = Number.POSITIVE_INFINITY;
    for (const queue of this.#queues) {
      const head = queue.peek();
      if (head && head.order < order) [oldest, order] = [queue, head.order];
    }
    const next = oldest?.shift();
    if (next) this.#waiting--;
    return next;
  }

  /** Says what is missing, when there is room again. */
  #summarize(): void {
    const counts = this.#dropped.flatMap((count, rank) => (count > 0 ? [[LEVELS[rank], count]] : []));
    const dropped = this.#dropped.reduce((sum, count) => sum + count, 0);
    if (dropped > 0) {
      this.#dropped.fill(0);
      this.#say(`${dropped} log records were dropped: too many at once`, Object.fromEntries(counts));
    }
    if (this.#lost > 0) {
      const [lost, reason] = [this.#lost, this.#lostBy];
      this.#lost = 0;
      this.#say(`${lost} log records were lost: the backend failed`, { reason });
    }
  }

  #say(message: string, fields: Record<string, unknown>): void {
    const record: LogRecord = {
      time: Date.now(),
      level: 'warning',
      message,
      module: '',
      process: undefined,
      fields,
    };
    this.#write(this.#line(record), record);
  }
}

function attempt(work: () => void): void {
  try {
    work();
  } catch {
    // A backend's own failure while it is being closed, flushed or set up: its lines were counted where they were lost.
  }
}

/** A copy of what can be copied, as the fields may be a hostile proxy. */
function shallow(fields: unknown): object {
  const values = plain(fields ?? {});
  return typeof values === 'object' && values !== null ? values : { fields: values };
}
