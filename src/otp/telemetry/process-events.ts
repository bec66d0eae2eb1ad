import { onReport, type Report } from '../process/reports.ts';
import { execute, whileListening } from './telemetry.ts';

/** What the kernel reports, as events: only while anybody listens to anything. */
function tell(report: Report): void {
  const of = { process: String(report.process), label: report.process.label };
  if (report.kind === 'progress') execute('otp.process.start', { count: 1 }, of);
  else if (report.kind === 'crash') {
    const { reason, message } = report;
    execute('otp.process.crash', { count: 1 }, { ...of, reason, message: message?.name });
  } else if (report.kind === 'long-mailbox') {
    execute('otp.mailbox.long', { waiting: report.waiting }, { ...of, long: report.long });
  } else if (report.kind === 'supervisor') {
    const { what, child, reason } = report;
    execute('otp.supervisor.report', { count: 1 }, { process: of.process, what, child, reason });
  }
}

let end: (() => void) | undefined;
whileListening((listening) => {
  end?.();
  end = listening ? onReport(tell) : undefined;
});
