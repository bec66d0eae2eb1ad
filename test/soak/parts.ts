import {
  child,
  config,
  logger,
  named,
  namedAgent,
  namedPool,
  namedTaskSupervisor,
  type ServerRef,
  Shutdown,
  start,
  startApplications,
  startSupervisor,
  supervisor,
  Task,
  table,
  telemetry,
  timer,
} from '../../src/otp/index.ts';
import type { Action, Bench } from './action.ts';
import { duplicates, groups, registry } from './shared.ts';
import { type Squares, squares } from './squares.ts';
import { OnPurpose, pause, Subject } from './subject.ts';
import { LASTING, type Line, TRAPPING } from './tree.ts';

/** Some subjects that nobody supervises, for as long as something is done with them. */
async function withSubjects(
  { ledger }: Bench,
  count: number,
  work: (refs: ServerRef<Subject>[]) => Promise<void>,
): Promise<void> {
  const refs: ServerRef<Subject>[] = [];
  for (let i = 0; i < count; i++) {
    const ref = await ledger.allows('start', start(Subject, { args: [{ trap: true }] }));
    if (ref) refs.push(ref);
  }
  try {
    await work(refs);
  } finally {
    for (const ref of refs) ref.exit('kill');
  }
}

export const partActions: readonly Action[] = [
  {
    name: 'registry, groups',
    weight: 8,
    run: (bench) =>
      withSubjects(bench, 4, async (refs) => {
        const { random, ledger } = bench;
        for (const ref of refs) {
          const key = `key-${random.below(6)}`;
          await ledger.allows('register', () => registry.register(key, 1, ref));
          await ledger.allows('update', () => registry.update(key, (value) => value + 1, ref));
          await ledger.allows('register twice', () => duplicates.register('topic', 1, ref));
          await ledger.allows('join', () => groups.join(`group-${random.below(3)}`, ref));
          await ledger.allows('monitor groups', () => groups.monitor(undefined, ref));
          if (random.chance(0.3)) await ledger.allows('unregister', () => registry.unregister(key, ref));
          await ledger.call('call by key', 1_000, registry.ref(key).within(1_000).call('echo', 1));
        }
        duplicates.dispatch('topic', ({ ref }) => ref.cast('echo', 1));
        groups.cast('group-0', 'echo', 1);
        await groups.call('group-1', 'echo', 1);
      }),
  },
  {
    name: 'tables',
    weight: 5,
    run: (bench) =>
      withSubjects(bench, 2, async ([owner, heir]) => {
        if (!owner || !heir) return;
        const { random, ledger } = bench;
        await ledger.allows('table', async () => {
          const rows = table<number, Buffer>({
            name: `table-${random.below(4)}`,
            access: 'public',
            owner,
            heir,
          });
          for (let i = 0; i < 100; i++) rows.put(i, Buffer.alloc(100));
          owner.exit('kill');
          await pause(random.below(3));
          if (rows.size !== 100 && heir.alive)
            ledger.complain(`a table came to its heir with ${rows.size} rows`);
        });
      }),
  },
  {
    name: 'agents',
    weight: 5,
    run: async ({ random, ledger }) => {
      const agent = namedAgent<Map<string, number>>('agent').within(1_000);
      const key = `key-${random.below(20)}`;
      await ledger.call(
        'agent update',
        1_000,
        agent.update((map) => map.set(key, random.next())),
      );
      await ledger.call(
        'agent get',
        1_000,
        agent.get((map) => map.size),
      );
      if (random.chance(0.1))
        agent.cast(() => {
          throw new OnPurpose('an agent');
        });
    },
  },
  {
    name: 'tasks',
    weight: 8,
    run: async ({ random, ledger }) => {
      const work = async (signal: AbortSignal): Promise<number> => {
        await pause(random.below(30));
        signal.throwIfAborted();
        if (random.chance(0.2)) throw new OnPurpose('a task');
        return 7;
      };
      const timeoutMs = random.between(1, 40);
      const result = await ledger.call('task await', timeoutMs, Task.async(work).await(timeoutMs));
      if (result !== undefined && result !== 7) ledger.complain(`a task gave ${result}`);
      const tasks = namedTaskSupervisor('tasks');
      const owner = random.chance(0.5) ? named(random.pick(LASTING)) : undefined;
      const task = await ledger.allows('task async', () => tasks.async(work, { owner }));
      await task?.yield(random.below(20));
      await task?.shutdown(random.pick(['brutal', 10]));
      await ledger.allows('task stream', async () => {
        const options = { maxConcurrency: 4, timeoutMs: 20, ordered: random.chance(0.5) };
        for await (const outcome of tasks.asyncStream(
          [1, 2, 3, 4, 5, 6],
          (_, signal) => work(signal),
          options,
        ))
          if (outcome.ok && random.chance(0.1)) break;
      });
    },
  },
  {
    name: 'timers',
    weight: 6,
    run: (bench) =>
      withSubjects(bench, 1, async ([owner]) => {
        if (!owner) return;
        const { random, ledger } = bench;
        await ledger.allows('timers', async () => {
          timer.sendAfter(random.below(10), owner, 'once', { owner });
          timer.sendEvery(random.between(1, 5), owner, 'again', { owner });
          timer.applyEvery(2, () => random.chance(0.05) && owner.exit('kill'), { owner });
          timer.sendAfter(100_000, named<Subject>('a0'), 'never', { owner });
          timer.applyAfter(1_000_000, () => {}).cancel();
          await pause(random.below(20));
        });
      }),
  },
  {
    name: 'pool',
    weight: 8,
    run: async ({ random, ledger }) => {
      const pool = namedPool<Subject>('pool');
      const timeoutMs = random.pick([10, 200, 2_000]);
      const lent = (): Promise<unknown> =>
        pool.run(
          async (worker) => {
            await ledger.call(
              'call of a pool',
              1_000,
              worker.within(1_000).call('slow', random.below(10), 1),
            );
            if (random.chance(0.1)) worker.cast('fail', 'throw');
          },
          { timeoutMs },
        );
      await Promise.all(Array.from({ length: random.between(1, 8) }, () => ledger.allows('pool run', lent)));
      const client = await ledger.allows('start', start(Subject, { args: [{}] }));
      if (!client) return;
      await ledger.allows('pool checkout', () => pool.checkout({ client, timeoutMs }));
      client.exit('kill');
    },
  },
  {
    name: 'workers',
    weight: 0.7,
    run: async ({ random, ledger }) => {
      const lasting = named<Squares>('squares').within(10_000);
      const answer = await ledger.call('call of a worker', 10_000, lasting.call('of', 12));
      if (answer !== undefined && answer !== 144) ledger.complain(`a worker answered ${answer}`);
      if (random.chance(0.2)) lasting.cast('crash');
      const passing = await ledger.allows(
        'start of a worker',
        squares.start({ timeoutMs: random.between(50, 500) }),
      );
      if (!passing) return;
      const how = random.pick(['of', 'spin', 'crash', 'kill'] as const);
      if (how === 'kill') passing.cast('spin');
      else if (how === 'of')
        await ledger.call('call of a worker', 10_000, passing.within(10_000).call('of', 3));
      else await ledger.call(`worker ${how}`, 10_000, passing.within(10_000).call(how));
      passing.exit(random.pick(['kill', 'shutdown'] as const));
      await pause(1_000).then(() => passing.exit('kill'));
    },
  },
  {
    name: 'logger',
    weight: 8,
    run: async ({ random }) => {
      const hostile = new Proxy(
        {},
        {
          get: () => {
            throw new Error('hostile');
          },
        },
      );
      const cycle: Record<string, unknown> = { big: 10n };
      cycle.cycle = cycle;
      const level = random.pick(['debug', 'info', 'warning', 'error'] as const);
      for (let i = random.below(40); i > 0; i--)
        logger
          .module('soak')
          [level](() => `line ${i}`, random.pick<Record<string, unknown>>([{ i }, cycle, { hostile }]));
    },
  },
  {
    name: 'telemetry',
    weight: 5,
    run: async ({ random, ledger }) => {
      const metrics = new telemetry.Metrics(
        [telemetry.counter('soak.event', { tags: ['tag'] }), telemetry.summary('soak.event', 'value')],
        { maxSeries: 10 },
      );
      for (let i = 0; i < 50; i++)
        telemetry.execute('soak.event', { value: random.next() }, { tag: random.below(30) });
      await ledger.allows('span', () => telemetry.span('soak.event', {}, async () => pause(random.below(3))));
      if (metrics.snapshot().length === 0) ledger.complain('telemetry saw nothing');
      metrics[Symbol.dispose]();
    },
  },
  {
    name: 'client',
    weight: 2,
    run: async ({ random, ledger, hangUp }) => {
      await ledger.call(
        'call of a client',
        2_000,
        named<Line>('line').within(2_000).call('say', 'x'.repeat(1_000)),
      );
      if (random.chance(0.3)) hangUp();
    },
  },
  {
    name: 'applications',
    weight: 2,
    run: async ({ random, ledger }) => {
      const unit = (name: string, dependsOn: string[]) => ({
        name,
        dependsOn,
        start: () =>
          startSupervisor(supervisor({ children: [child(Subject, { args: [{ failInit: 20, random }] })] })),
      });
      const running = await ledger.allows(
        'applications',
        startApplications([unit('two', ['one']), unit('one', [])]),
      );
      await running?.stop();
    },
  },
  {
    name: 'config',
    weight: 1,
    run: async ({ ledger }) => {
      if (config<{ soak: boolean }>().soak !== true) ledger.complain('the config is not what its file says');
    },
  },
  {
    name: 'an orderly end',
    weight: 3,
    run: async ({ random, ledger }) => {
      // From outside of any process, one that traps exits would take it for a message.
      const ref = named<Subject>(random.pick(LASTING.filter((name) => !TRAPPING.includes(name))));
      const ended = ref.ended();
      ref.exit(new Shutdown('on purpose'));
      await ledger.call('an orderly end', 5_000, ended);
    },
  },
];
