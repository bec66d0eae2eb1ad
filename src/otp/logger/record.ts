import type { Level } from './level.ts';

/** A text, or a function that makes it, called only when the level is on. */
export type Message = string | (() => string);
export type Fields = Record<string, unknown>;

/** What happened. Formatters and backends get it as it is; `fields` may hold anything. */
export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly level: Level;
  readonly message: string;
  /** '' for none. */
  readonly module: string;
  /** The process whose handler wrote it, such as `Account#12`. */
  readonly process: string | undefined;
  readonly fields: Fields | undefined;
}

/** Makes one line of a record, with a newline at its end. */
export type Formatter = (record: LogRecord) => string;
