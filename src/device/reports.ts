import { logger, onReport, PortError, type Report } from '../otp/index.ts';

/** Logs what the supervisors see: each end that was not meant, in one line. Returns what ends it. */
export function sayReports(log = logger): () => void {
  return onReport((report) => {
    const words = wordsOf(report);
    if (words !== undefined) log.error(words);
  });
}

/** Of a crash, which the process reports and its supervisor too, the first is enough. */
export function wordsOf(report: Report): string | undefined {
  const name = report.process.name ?? report.process.label;
  switch (report.kind) {
    case 'crash':
      // A program that has ended is no fault of ours: where in our code that was noticed says nothing.
      return report.reason instanceof PortError
        ? `${name}: ${report.reason.message}`
        : `${name} crashed: ${stackOf(report.reason)}`;
    case 'unanswered':
      return `${name}: ${stackOf(report.error)}`;
    case 'long-mailbox':
      return report.long ? `${name} is behind: ${report.waiting} messages wait` : undefined;
    case 'supervisor': {
      const { what, reason, child } = report;
      const known = what === 'child_terminated' && reason instanceof Error;
      // Who started the tree says that.
      if (known || what === 'reached_max_restart_intensity') return undefined;
      return `${child}: ${what}: ${stackOf(reason)}`;
    }
    case 'progress':
      return undefined;
  }
}

function stackOf(reason: unknown): string {
  return reason instanceof Error ? (reason.stack ?? String(reason)) : String(reason);
}
