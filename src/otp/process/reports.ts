import type { Message } from './message.ts';
import type { Process } from './process.ts';
import type { ExitReason } from './reason.ts';

/** What the library has to say about processes: the logger writes it down, tests look at it. */
export type Report =
  | { kind: 'crash'; process: Process; reason: ExitReason; message: Message | undefined }
  | { kind: 'progress'; process: Process }
  | { kind: 'supervisor'; process: Process; what: string; child: string; reason: ExitReason };

const listeners = new Set<(report: Report) => void>();

export function report(event: Report): void {
  for (const listener of listeners) listener(event);
}

/** Returns what ends it. A listener must not throw. */
export function onReport(listener: (report: Report) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
