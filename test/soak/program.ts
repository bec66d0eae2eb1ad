// The program that is soaked: a supervision tree with something of everything, on which things are done at random while
// everything crashes. It is run by campaign.ts, which watches it from outside.
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileBackend, logger, logging, namedSupervisor, startSupervisor } from '../../src/otp/index.ts';
import { logReports } from '../../src/otp/logger/index.ts';
import { processTable } from '../../src/otp/process/process-table.ts';
import type { Bench } from './action.ts';
import { type Counts, counts, differences } from './counts.ts';
import { Ledger } from './ledger.ts';
import { load } from './load.ts';
import type { FromProgram, Rest, ToProgram } from './protocol.ts';
import { Random } from './random.ts';
import { compareRestarts } from './restarts.ts';
import { sabotage } from './sabotage.ts';
import { trouble } from './shared.ts';
import { pause } from './subject.ts';
import { hangsUp, tree } from './tree.ts';

interface Plan {
  seed: number;
  /** Of all rounds together. */
  forMs: number;
  /** From one rest to the next. */
  roundMs: number;
  folder: string;
  heart: string;
  /** So long may it take until everything is as it was in the beginning. */
  calmMs: number;
  sabotage: string[];
}

/** Where one rest found what does not go away, the next ones need not wait for it as long. */
const LOST_MS = 200;
/** A line through fewer says nothing. */
const LEAST_RESTS = 6;

/** What has not changed for so long has settled. */
const SETTLED_MS = 1_000;

/** Of the event loop's delay. */
const RESOLUTION_MS = 20;

const plan = JSON.parse(process.argv[2] ?? '') as Plan;
const random = new Random(plan.seed);
const ledger = new Ledger();
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
const tell = (message: FromProgram): void => {
  if (process.connected) process.send?.(message);
};

process.on('unhandledRejection', (reason) => fault('unhandledRejection', reason));
process.on('uncaughtException', (error) => fault('uncaughtException', error));
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') fault('warning', warning);
});
process.on('message', ({ type }: ToProgram) => {
  // A delay that is just over must have been measured: a reset would forget it.
  if (type === 'sample') setTimeout(sample, 2 * RESOLUTION_MS);
});

logging.removeBackend('console');
logging.addBackend(
  'files',
  fileBackend({ path: join(plan.folder, 'soak.log'), maxBytes: 100_000, files: 3 }),
);
logging.setLevel('debug');
const unlog = logReports(logger);
const unlisten = ledger.listen();
logger.error('the soak begins');

const line = await hangsUp(plan.folder);
const top = await startSupervisor(tree({ random: random.fork(), socket: line.path, heart: plan.heart }));
const bench: Bench = { ...plan, random, ledger, hangUp: line.hangUp };
delay.enable();
const fresh = await settled();
const startedAt = performance.now();
tell({ type: 'up', seed: plan.seed, counts: fresh });
const undo = sabotage(plan.sabotage, ledger);
let calmMs = plan.calmMs;
for (let rests = 0; performance.now() - startedAt < plan.forMs || rests < LEAST_RESTS; rests++) {
  trouble.on = true;
  await load(bench, plan.roundMs);
  trouble.on = false;
  tell({ type: 'rest', ...(await rest()) });
}
delay.disable();
undo();
await top.stop('shutdown');
line.server.close();
unlisten();
unlog();
logging.removeBackend('files');
const left = [...processTable.values()].map(String);
if (namedSupervisor('top').alive) left.push('top');
const { outcomes, reports, complained, complaints, latestMs } = ledger;
tell({ type: 'end', outcomes, reports, complained, complaints, latestMs, left });
// It ends by itself, when nothing is left that holds it up.
process.disconnect?.();

async function rest(): Promise<Rest> {
  const differs = await calm(fresh, calmMs);
  if (differs.length > 0) calmMs = LOST_MS;
  const unanswered = ledger.unanswered;
  const { compared, wrong } = await compareRestarts(ledger);
  collect();
  // V8 frees the buffers of a collection in other threads, and waits for them when the next one begins.
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return {
    atMs: performance.now() - startedAt,
    differences: differs,
    unanswered,
    heap: heapUsed,
    buffers: arrayBuffers,
    restartsCompared: compared,
    restartsWrong: wrong,
  };
}

/** The counts when they have not changed for a while: timers of the start are over, pools of threads are there. */
async function settled(): Promise<Counts> {
  for (let before = counts(), since = performance.now(); ; await pause(100)) {
    const now = counts();
    if (differences(now, before).length > 0) [before, since] = [now, performance.now()];
    else if (performance.now() - since > SETTLED_MS) return now;
  }
}

/** Waits until all counts are those of the fresh tree; gives what differs when the time is over. */
async function calm(before: Counts, withinMs: number): Promise<string[]> {
  const until = performance.now() + withinMs;
  for (;;) {
    const differs = differences(counts(), before);
    if (differs.length === 0 || performance.now() > until) return differs;
    await pause(50);
  }
}

function sample(): void {
  collect();
  const [loopMaxMs, loopP99Ms] = [delay.max / 1e6, delay.percentile(99) / 1e6];
  delay.reset();
  tell({ type: 'sample', heap: process.memoryUsage().heapUsed, loopMaxMs, loopP99Ms });
}

function collect(): void {
  if (!globalThis.gc) throw new Error('to be run with --expose-gc');
  globalThis.gc();
}

function fault(kind: 'unhandledRejection' | 'uncaughtException' | 'warning', what: unknown): void {
  tell({ type: 'fault', kind, what: what instanceof Error ? `${what.stack}` : String(what) });
}
