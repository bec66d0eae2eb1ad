import {
  child,
  named,
  namedDynamicSupervisor,
  OverloadError,
  type ServerRef,
  start,
  startSupervisor,
  supervisor,
  sys,
} from '../../src/otp/index.ts';
import { processTable } from '../../src/otp/process/process-table.ts';
import type { Action, Bench } from './action.ts';
import { NAMES } from './shared.ts';
import { OnPurpose, pause, Subject } from './subject.ts';
import { LASTING } from './tree.ts';

const FAILURES = ['throw', 'reject', 'stop', 'reply', 'late reply', 'quit'] as const;

/** A call whose answer is looked at. */
async function ask({ random, ledger }: Bench, ref: ServerRef<Subject>): Promise<void> {
  const timeoutMs = random.pick([20, 100, 1_000, 5_000]);
  const value = random.below(1e6);
  const patient = ref.within(timeoutMs);
  const how = random.pick(['echo', 'echo', 'echo', 'slow', 'soon', 'fail'] as const);
  if (how === 'fail') {
    await ledger.call('call fail', timeoutMs, patient.call('fail', random.pick(FAILURES)));
    return;
  }
  const answer = how === 'echo' ? patient.call('echo', value) : patient.call(how, random.below(60), value);
  const got = await ledger.call(`call ${how}`, timeoutMs, answer);
  if (got !== undefined && got !== value) ledger.complain(`${ref} answered ${got}, not ${value}`);
}

/** Ends some process of the tree, below its top, in some way. */
function chaos({ random, ledger }: Bench): void {
  const all = [...processTable.values()].filter(({ name }) => name !== 'top');
  if (all.length === 0) return;
  const victim = random.pick(all);
  const how = random.pick(['kill', 'exit', 'crash', 'signal'] as const);
  ledger.count(`chaos ${how}`);
  if (how === 'kill') victim.kill('killed');
  else if (how === 'exit') victim.exit('shutdown');
  else if (how === 'crash') victim.exit(new OnPurpose('an exit'));
  else if (victim.name) named(victim.name).exit(new OnPurpose('a signal'));
}

export const messageActions: readonly Action[] = [
  {
    name: 'calls',
    weight: 30,
    run: async (bench) => {
      const ref = named<Subject>(bench.random.pick(LASTING));
      await Promise.all(Array.from({ length: bench.random.between(1, 8) }, () => ask(bench, ref)));
    },
  },
  {
    name: 'casts',
    weight: 15,
    run: async ({ random, ledger }) => {
      const ref = named<Subject>(random.pick(LASTING));
      await ledger.allows('casts', () => {
        for (let i = random.below(200); i > 0; i--) ref.cast('echo', i);
        if (random.chance(0.3)) ref.cast('fail', random.pick(FAILURES));
        ref.cast('continueFor', 20);
        ref.cast('remind', random.below(100));
        ref.send('hello');
      });
    },
  },
  { name: 'chaos', weight: 15, run: async (bench) => chaos(bench) },
  {
    name: 'overload',
    weight: 3,
    run: async ({ random, ledger }) => {
      const ref = named<Subject>('bounded');
      await ledger.allows('suspend', sys.suspend(ref, 1_000));
      const calls: Promise<unknown>[] = [];
      let refused = 0;
      for (let i = 0; i < 150; i++) {
        try {
          if (random.chance(0.5)) ref.cast('echo', i);
          else calls.push(ledger.call('call of the full', 5_000, ref.call('echo', i)));
        } catch (error) {
          if (!(error instanceof OverloadError)) throw error;
          refused++;
        }
      }
      if (refused > 0) ledger.count('overload seen');
      await pause(random.below(20));
      await ledger.allows('resume', sys.resume(ref, 1_000));
      await Promise.all(calls);
    },
  },
  {
    name: 'links and monitors',
    weight: 8,
    run: async ({ random, ledger }) => {
      const refs: ServerRef<Subject>[] = [];
      for (let i = random.between(2, 6); i > 0; i--) {
        const options = { args: [{ trap: random.chance(0.3) }] as [{ trap: boolean }] };
        const ref = await ledger.allows('start', start(Subject, options));
        if (ref) refs.push(ref);
      }
      for (const ref of refs) {
        const other = random.pick(refs);
        await ledger.call('call tie', 5_000, ref.call('tie', other));
        await ledger.call('call watch', 5_000, ref.call('watch', random.pick(refs), random.chance(0.3)));
        const lasting = named<Subject>(random.pick(LASTING));
        await ledger.call('call watch', 5_000, ref.call('watch', lasting, false));
        await ledger.call('call watch', 5_000, lasting.call('watch', ref, random.chance(0.3)));
      }
      refs[0]?.exit(random.pick(['kill', 'shutdown', 'normal', new OnPurpose('an exit')] as const));
      await pause(random.below(10));
      for (const ref of refs) ref.exit('kill');
    },
  },
  {
    name: 'names',
    weight: 6,
    run: async ({ random, ledger }) => {
      const name = random.pick(NAMES);
      const ref = await ledger.allows(
        'start by name',
        start(Subject, { name, args: [{ initMs: random.below(5) }] }),
      );
      await ledger.call('call by name', 1_000, named<Subject>(name).call('echo', 1));
      if (!ref) return;
      ref.exit(random.pick(['kill', 'shutdown'] as const));
      await ref.ended();
    },
  },
  {
    name: 'dynamic children',
    weight: 10,
    run: async (bench) => {
      const { random, ledger } = bench;
      const dynamic = namedDynamicSupervisor('dynamic');
      const restart = random.pick(['permanent', 'transient', 'temporary'] as const);
      const habits = { initMs: random.below(3), endMs: random.below(3), failInit: 10, random };
      const spec = child(Subject, { id: 'passing', restart, shutdown: 1_000, args: [habits] });
      const refs: ServerRef<Subject>[] = [];
      for (let i = random.between(1, 15); i > 0; i--) {
        const ref = await ledger.allows('startChild', dynamic.startChild(spec));
        if (ref) refs.push(ref);
      }
      await Promise.all(refs.map((ref) => ask(bench, ref)));
      for (const ref of refs) await ledger.allows('terminateChild', dynamic.terminateChild(ref));
      // Those that were started anew are known by other references.
      for (const { id, ref } of (await ledger.allows('children', dynamic.children())) ?? [])
        if (ref && id === 'passing') await ledger.allows('terminateChild', dynamic.terminateChild(ref));
    },
  },
  {
    name: 'a tree of its own',
    weight: 4,
    run: async (bench) => {
      const { random, ledger } = bench;
      const strategy = random.pick(['one_for_one', 'one_for_all', 'rest_for_one'] as const);
      const kid = (id: string, habits: object) => child(Subject, { id, args: [{ ...habits, random }] });
      const spec = supervisor({
        strategy,
        maxRestarts: random.below(4),
        autoShutdown: 'any_significant',
        backoff: { minMs: 1, maxMs: 10 },
        children: [
          kid('first', { endMs: 1, failEnd: 30 }),
          kid('second', { initMs: 1, failInit: 15 }),
          child(Subject, { id: 'matters', restart: 'transient', significant: true, args: [{}] }),
        ],
      });
      const top = await ledger.allows('startSupervisor', startSupervisor(spec));
      if (!top) return;
      for (let i = 0; i < 4; i++) {
        const children = await ledger.allows('children', top.children());
        const target = random.pick(children ?? [undefined])?.ref;
        if (target && random.chance(0.7))
          target.exit(random.pick(['kill', new OnPurpose('an exit')] as const));
        await pause(random.below(8));
      }
      const reason = await top.stop('shutdown');
      if (reason === 'normal') ledger.complain('a supervisor that was shut down ended with normal');
    },
  },
  {
    name: 'sys',
    weight: 6,
    run: async ({ random, ledger }) => {
      const ref = named<Subject>(random.pick(LASTING));
      await ledger.allows('trace', async () => {
        using trace = sys.trace(ref, { limit: random.between(1, 20) });
        ref.cast('echo', 1);
        await ledger.call('call traced', 1_000, ref.within(1_000).call('echo', 1));
        if (random.chance(0.5)) await pause(2);
        return trace.over;
      });
      await ledger.allows('getStatus', sys.getStatus(ref, 1_000));
      await ledger.allows(
        'replaceState',
        sys.replaceState(ref, (state) => state, 1_000),
      );
      sys.tree();
    },
  },
  {
    name: 'the loop is held up',
    weight: 1,
    run: async ({ random }) => named<Subject>(random.pick(LASTING)).cast('burn', random.below(30)),
  },
];
