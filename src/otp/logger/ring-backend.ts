import { Ring } from '../process/ring.ts';
import type { Backend } from './outlet.ts';
import type { LogRecord } from './record.ts';

export interface RingBackend extends Backend {
  /** The last lines, the oldest first, each with its newline. */
  lines(): string[];
  /** The last records, the oldest first. Their fields are those of the caller, not copies. */
  records(): LogRecord[];
}

/** Keeps the last lines in memory: for a page that shows them, or a report of what went before a failure. */
export function ringBackend(size = 1_000): RingBackend {
  const kept = new Ring<{ line: string; record: LogRecord }>();
  return {
    write(line, record) {
      if (kept.length >= size) kept.shift();
      kept.push({ line, record });
    },
    lines: () => [...kept].map(({ line }) => line),
    records: () => [...kept].map(({ record }) => record),
  };
}
