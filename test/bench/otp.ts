import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Figure, median } from './figure.ts';

const RUNS = 5;

/** The programs of a run. */
const PARTS = ['start', 'supervised', 'messages'] as const;

/** What the parts of one run of otp-run.ts print. */
export interface OtpRun {
  callsPerSecond: number;
  concurrentCallsPerSecond: number;
  castsPerSecond: number;
  startMs: number;
  startBytes: number;
  supervisedMs: number;
  supervisedBytes: number;
}

/** The runtime library. Each part is a program of its own: a heap that another has filled would be measured too. */
export async function benchOtp(): Promise<Figure[]> {
  const program = join(import.meta.dirname, 'otp-run.ts');
  const options = ['--expose-gc', '--disable-warning=ExperimentalWarning', program];
  const runs = Array.from({ length: RUNS }, (): OtpRun => {
    const printed = PARTS.map((part) =>
      JSON.parse(execFileSync(process.execPath, [...options, part], { encoding: 'utf8' })),
    );
    return Object.assign({}, ...printed) as OtpRun;
  });
  const figure = (key: keyof OtpRun, name: string, unit: string, goal?: string): Figure => ({
    name,
    value: Math.round(median(runs.map((run) => run[key]))),
    unit,
    runs: RUNS,
    ...(goal && { goal }),
  });
  return [
    figure('callsPerSecond', 'call, one after the other', '/s', '>= 1,000,000'),
    figure('concurrentCallsPerSecond', 'call, 1,000 at once', '/s'),
    figure('castsPerSecond', 'cast, handled', '/s', '>= 4,000,000'),
    figure('startMs', '100,000 servers started', 'ms'),
    figure('startBytes', 'a server that waits', 'bytes'),
    figure('supervisedMs', '100,000 supervised servers started', 'ms', '<= 320'),
    figure('supervisedBytes', 'a supervised server that waits', 'bytes', '<= 2,700'),
  ];
}
