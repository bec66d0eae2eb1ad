// Log lines a second. Run by `npm run bench`, or alone: `scripts/node test/bench/otp-logger.ts`
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fileBackend } from '../../src/otp/logger/file-backend.ts';
import { jsonFormatter, textFormatter } from '../../src/otp/logger/format.ts';
import { type Logger, Logging } from '../../src/otp/logger/logger.ts';
import type { Backend, BackendOptions } from '../../src/otp/logger/outlet.ts';
import { type Figure, median } from './figure.ts';

const RUNS = 5;
const LINES = 100_000;
const OFF_CALLS = 20_000_000;

export async function benchOtpLogger(): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-bench-log-'));
  const sink = openSync('/dev/null', 'w');
  const none: Backend = { write: (line) => writeSync(sink, line) > 0 };
  try {
    return [
      await rate('log lines, text, to a descriptor', () => none, { format: textFormatter }),
      await rate('log lines, JSON, to a descriptor', () => none, { format: jsonFormatter }),
      await rate('log lines to rotating files (1 MiB x 5)', () =>
        fileBackend({ path: join(folder, 'bench.log') }),
      ),
      await rate(
        'log calls of a level that is off',
        () => none,
        {},
        OFF_CALLS,
        (log, n) => log.debug(() => `${n}`),
      ),
    ];
  } finally {
    closeSync(sink);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function rate(
  name: string,
  backend: () => Backend,
  options: BackendOptions = {},
  calls = LINES,
  log = (to: Logger, n: number) => to.info('request served', { path: '/api/lists', status: 200, ms: n }),
): Promise<Figure> {
  const values: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const logging = new Logging('info');
    logging.addBackend('bench', backend(), options);
    const { logger } = logging;
    const start = performance.now();
    for (let n = 0; n < calls; n++) log(logger, n);
    logging.removeBackend('bench');
    values.push((calls / (performance.now() - start)) * 1000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return { name, value: Math.round(median(values)), unit: '/s', runs: RUNS };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) console.table(await benchOtpLogger());
