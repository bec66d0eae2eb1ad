import { spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { named, namedSupervisor, openPort, start, timer } from '../../src/otp/index.ts';
import { report } from '../../src/otp/process/reports.ts';
import type { Ledger } from './ledger.ts';
import { Subject } from './subject.ts';

const TICK_MS = 20;
const kept: unknown[] = [];

/** Faults that are put into the soak on purpose, each to see one of its verdicts fail. Gives what undoes it. */
export const SABOTAGES: Readonly<Record<string, (ledger: Ledger) => unknown>> = {
  /** A server that monitors another again and again. */
  monitor: () => every(() => named<Subject>('a0').cast('watch', named<Subject>('ticker'), false)),
  /** A server that nobody stops; started late, for nothing to crash it. */
  process: () => () => void start(Subject, { args: [{}] }).catch(() => {}),
  timer: () => void timer.sendEvery(60_000, named<Subject>('a0'), 'leaks'),
  descriptor: () => {
    const fd = openSync('/dev/null', 'r');
    return () => closeSync(fd);
  },
  heap: () => every(() => kept.push(Array.from({ length: 20_000 }, (_, i) => ({ i })))),
  buffers: () => every(() => kept.push(Buffer.alloc(2 ** 20, 1))),
  /** A program whose own child ends, and is never waited for. */
  zombie: () =>
    void openPort({ command: 'sh', args: ['-c', 'sleep 0.1 & exec sleep 1000'], line: true }).catch(() => {}),
  /** What a port would have stopped. */
  orphan: () => spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' }).unref(),
  rejection: () => void Promise.reject(new Error('on purpose')),
  exception: () =>
    void setTimeout(() => {
      throw new Error('on purpose');
    }, TICK_MS),
  warning: () => {
    const emitter = new EventEmitter();
    for (let i = 0; i < 11; i++) emitter.on('x', () => {});
  },
  unanswered: (ledger) => void ledger.call('never', 100, new Promise(() => {})),
  late: (ledger) => void ledger.call('late', 100, new Promise((resolve) => setTimeout(resolve, 3_500))),
  /** Sleeps: it must be seen on a machine that has nothing to do, too. */
  loop: () => void setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000), 500),
  /** Ends that nothing was restarted after; again and again, as the supervisor itself may be replaced. */
  restart: () =>
    every(() => {
      const process = namedSupervisor('one_for_one').find();
      if (process)
        report({ kind: 'supervisor', process, what: 'child_terminated', child: 'a0', reason: 'normal' });
    }),
  complaint: (ledger) => ledger.complain('on purpose'),
};

export function sabotage(names: readonly string[], ledger: Ledger): () => void {
  const undo = names.map((name) => {
    const begin = SABOTAGES[name];
    if (!begin) throw new Error(`no sabotage '${name}': there are ${Object.keys(SABOTAGES).join(', ')}`);
    return begin(ledger);
  });
  return () => {
    for (const each of undo) if (typeof each === 'function') each();
  };
}

function every(work: () => void): () => void {
  const interval = setInterval(work, TICK_MS);
  return () => clearInterval(interval);
}
