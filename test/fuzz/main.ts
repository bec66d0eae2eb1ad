// A campaign over the random tests: `scripts/fuzz`. Each pass runs every chosen file, with other seeds.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { added, DONE, type Done, isSlow, ORDERS, type Orders, type Round, RUNNING } from './report.ts';

const USAGE = `usage: scripts/fuzz [--each SECONDS] MINUTES [PATH…]
       scripts/fuzz --seed SEED PATH…

  MINUTES         go on for so long, and at least for one pass
  PATH            the random tests under it (default: src)
  --each SECONDS  how long one property goes on in one pass (default: 5)
  --seed SEED     try every property under PATH once, with this seed
`;
/** No round of a test that CI runs takes this long, even on a busy machine. */
const HUNG_MS = 300_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { each: { type: 'string', default: '5' }, seed: { type: 'string' } },
});
const again = values.seed !== undefined;
const minutes = again ? 0 : Number(positionals.shift());
const files = randomTests(positionals.length === 0 ? ['src'] : positionals);
if ([minutes, Number(values.each), Number(values.seed ?? 0)].some(Number.isNaN)) {
  process.stderr.write(USAGE);
  process.exit(2);
}
if (files.length === 0) {
  // Without a name vitest would run every test there is.
  process.stderr.write(`no random tests in ${positionals.join(', ')}\n`);
  process.exit(2);
}

const until = Date.now() + minutes * 60_000;
const totals = new Map<string, Done>();
/** What failed, hung, or ended its process; each test once. */
const failures = new Map<string, string>();
do {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-fuzz-'));
  try {
    await pass(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
} while (Date.now() < until && files.length > 0);
summary();
process.exitCode = failures.size > 0 ? 1 : 0;

/** A property of fast-check's, or choices of our own. */
function randomTests(paths: string[]): string[] {
  return paths
    .flatMap((path) => (path.endsWith('.test.ts') ? [path] : globSync(join(path, '**/*.test.ts'))))
    .filter((file) => !file.includes('node_modules/'))
    .filter((file) => /from '(fast-check|.*\/test-random\.ts)'/.test(readFileSync(file, 'utf8')))
    .sort();
}

async function pass(folder: string): Promise<void> {
  const ownSeed = values.seed ?? String(Math.floor(Math.random() * 2 ** 31));
  const orders: Orders = {
    until: Math.max(until, Date.now() + 1),
    eachMs: Number(values.each) * 1000,
    folder,
    ...(again && { seed: Number(values.seed) }),
  };
  const results = join(folder, 'results.json');
  const vitest = spawn(
    process.execPath,
    [
      'node_modules/vitest/vitest.mjs',
      'run',
      '--config=test/fuzz/vitest.config.ts',
      '--reporter=json',
      `--outputFile.json=${results}`,
      ...files,
    ],
    {
      env: { ...process.env, [ORDERS]: JSON.stringify(orders), HEARTH_TEST_SEED: ownSeed },
      stdio: ['ignore', 'ignore', 'inherit'],
      // Its own group: what hangs is ended with all that it started.
      detached: true,
    },
  );
  const ended = once(vitest, 'exit');
  const interrupted = (): void => {
    process.exitCode = 1;
    end(vitest.pid);
    summary();
    process.exit();
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  const watch = setInterval(() => {
    const hangs = ({ pid, began }: Round): boolean =>
      Date.now() - began > HUNG_MS && existsSync(`/proc/${pid}`);
    if (runningRounds(folder).some(hangs)) end(vitest.pid);
  }, 1000);
  const [code, signal] = await ended;
  clearInterval(watch);
  process.off('SIGINT', interrupted).off('SIGTERM', interrupted);

  readDone(folder);
  for (const { file, test, seed } of runningRounds(folder)) {
    fail(file, test, `hung, or took its process down, with seed ${seed}`);
    // It would do so in every pass, and cost the others their time.
    files.splice(files.indexOf(file), 1);
  }
  if (existsSync(results)) readResults(results, ownSeed);
  else if (failures.size === 0) fail('vitest', '', `ended (${signal ?? code}) without results`);
}

function readResults(path: string, ownSeed: string): void {
  interface Results {
    testResults: {
      name: string;
      status: string;
      message: string;
      assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
    }[];
  }
  const { testResults }: Results = JSON.parse(readFileSync(path, 'utf8'));
  for (const { name, status, message, assertionResults } of testResults) {
    const failed = assertionResults.filter((test) => test.status === 'failed');
    for (const { fullName, failureMessages } of failed) {
      fail(relative('', name), fullName, `HEARTH_TEST_SEED=${ownSeed}\n${failureMessages.join('\n')}`);
    }
    if (status === 'failed' && failed.length === 0 && message !== '') fail(relative('', name), '', message);
  }
}

function readDone(folder: string): void {
  if (!existsSync(join(folder, DONE))) return;
  for (const line of readFileSync(join(folder, DONE), 'utf8').trim().split('\n')) {
    const done: Done = JSON.parse(line);
    const key = `${done.file} ${done.test}`;
    totals.set(key, added(totals.get(key), done));
    if (done.failure !== undefined) fail(done.file, done.test, done.failure);
  }
}

function runningRounds(folder: string): Round[] {
  return globSync(join(folder, `${RUNNING}*`)).flatMap((path) => {
    const round: Round | null = JSON.parse(readFileSync(path, 'utf8') || 'null');
    return round ?? [];
  });
}

function fail(file: string, test: string, why: string): void {
  if (failures.has(`${file} ${test}`)) return;
  failures.set(`${file} ${test}`, why);
  console.log(`failed: ${file} ${test}\n${why}\n`);
}

function end(pid: number | undefined): void {
  if (pid !== undefined) process.kill(-pid, 'SIGKILL');
}

function summary(): void {
  for (const [name, done] of [...totals].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const { rounds, cases, cpuMs, slowest } = done;
    const times = `${(cpuMs / Math.max(1, cases)).toFixed(2)} ms a case, at most ${slowest.cpuMs.toFixed(0)} ms`;
    console.log(
      `${isSlow(done) ? 'SLOW ' : ''}${name}: ${rounds} seeds, ${cases} cases, ${times} (${slowest.seed})`,
    );
  }
  console.log(`${totals.size} properties, ${failures.size} failed`);
}
