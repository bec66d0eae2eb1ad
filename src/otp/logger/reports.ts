import type { Message } from '../process/message.ts';
import { describeReason, isOrderly } from '../process/reason.ts';
import { onReport, type Report } from '../process/reports.ts';
import type { Logger } from './logger.ts';

/** Writes down what the library reports about processes. Returns what ends it. */
export function logReports(log: Logger): () => void {
  return onReport((report) => writeReport(log, report));
}

/**
 * The state of a process that crashed is left out, on purpose: it is large, and it is where passwords are. The message that it
 * crashed on is what one needs to see it again.
 */
export function writeReport(log: Logger, report: Report): void {
  const { kind, process } = report;
  // Messages are made by functions, which may throw: the error that a process died of is the app's.
  switch (kind) {
    case 'progress':
      log.debug(() => `started ${process}`, { parent: process.parent?.toString() ?? 'none' });
      return;
    case 'crash':
      log.error(() => `${process} crashed: ${describeReason(report.reason)}`, {
        kind: process.label,
        ...messageFields(report.message),
        reason: report.reason,
      });
      return;
    case 'unanswered':
      log.error(() => `${process} had an error for nobody: ${describeReason(report.error)}`, {
        ...messageFields(report.message),
        error: report.error,
      });
      return;
    case 'long-mailbox':
      if (report.long) log.warning(`the mailbox of ${process} is long`, { waiting: report.waiting });
      else log.notice(`the mailbox of ${process} is no longer long`, { waiting: report.waiting });
      return;
    case 'supervisor': {
      const { child, what, reason } = report;
      const level = isOrderly(reason) ? 'info' : 'error';
      log[level](() => `${process}: child ${child}: ${what}: ${describeReason(reason)}`);
    }
  }
}

function messageFields(message: Message | undefined): { message?: string; args?: readonly unknown[] } {
  if (!message) return {};
  return {
    message: message.name === '' ? message.kind : `${message.kind} ${message.name}`,
    args: message.args,
  };
}
