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
function writeReport(log: Logger, report: Report): void {
  const { kind, process } = report;
  switch (kind) {
    case 'progress':
      log.debug(() => `started ${process}`, {
        pid: process.id,
        parent: process.parent?.toString() ?? 'none',
      });
      return;
    case 'crash':
      log.error(`${process} crashed: ${describeReason(report.reason)}`, {
        kind: process.label,
        ...(report.message ? { message: messageText(report.message), args: report.message.args } : {}),
        reason: report.reason,
      });
      return;
    case 'unanswered':
      log.warning(`${process} had an error for nobody: ${describeReason(report.error)}`, {
        ...(report.message && { message: messageText(report.message) }),
        reason: report.error,
      });
      return;
    case 'long-mailbox':
      if (report.long) log.warning(`${process} has a long mailbox: ${report.waiting} messages wait`);
      else log.notice(`${process} has no long mailbox any more: ${report.waiting} messages wait`);
      return;
    case 'supervisor': {
      const message = `${process}: child ${report.child}: ${report.what}: ${describeReason(report.reason)}`;
      if (isOrderly(report.reason)) log.info(message);
      else log.error(message);
    }
  }
}

function messageText(message: Message): string {
  return message.name === '' ? message.kind : `${message.kind} ${message.name}`;
}
