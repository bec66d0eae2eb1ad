import { emitWarning } from 'node:process';
import type { Message } from './message.ts';
import type { Process } from './process.ts';
import { type ExitReason, thrownReason } from './reason.ts';

/** What the library has to say about processes: the logger writes it down, tests look at it. */
export type Report =
  | { kind: 'crash'; process: Process; reason: ExitReason; message: Message | undefined }
  | { kind: 'progress'; process: Process }
  /** An error that a handler had for its caller, where nobody waits for an answer. The process lives on. */
  | { kind: 'unanswered'; process: Process; error: Error; message: Message | undefined }
  /** A mailbox has grown to its watermark (`long`), or is down to half of it again: `long_message_queue` of OTP. */
  | { kind: 'long-mailbox'; process: Process; long: boolean; waiting: number }
  | { kind: 'supervisor'; process: Process; what: string; child: string; reason: ExitReason };

const listeners = new Set<(report: Report) => void>();

/** Never throws: a listener that does is removed, as OTP removes a log handler, and Node's warnings say so. */
export function report(event: Report): void {
  for (const listener of listeners) {
    try {
      listener(event);
    } catch (thrown) {
      listeners.delete(listener);
      emitWarning(`a listener to reports threw, and gets no more of them: ${thrownReason(thrown).stack}`);
    }
  }
}

/** Returns what ends it. A listener runs inside the process that reports: it must be quick, and must not throw. */
export function onReport(listener: (report: Report) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
