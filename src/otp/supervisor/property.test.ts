import fc from 'fast-check';
import { expect, test } from 'vitest';
import { whereis } from '../process/names.ts';
import { processTable } from '../process/process-table.ts';
import { named } from '../server/ref.ts';
import { Server } from '../server/server.ts';
import { type ChildSpec, child } from './child-spec.ts';
import { type Event, Model, type TreePlan, type WorkerPlan } from './model.fixture.ts';
import { namedSupervisor, type SupervisorRef, startSupervisor, supervisor } from './supervisor.ts';

let log: string[] = [];
const refusals = new Map<string, number>();

class Worker extends Server {
  #id = '';
  override init(id: string): void {
    const times = refusals.get(id) ?? 0;
    refusals.set(id, Math.max(0, times - 1));
    log.push(times > 0 ? `!${id}` : `+${id}`);
    if (times > 0) throw new Error('refused');
    this.#id = id;
  }
  crash(): void {
    throw new Error('crashed');
  }
  finish(): void {
    this.stop();
  }
  override terminate(): void {
    log.push(`-${this.#id}`);
  }
}
/** The same, with starts and stops that take time: the order of everything must be the same. */
class SlowWorker extends Worker {
  override async init(id: string): Promise<void> {
    await null;
    super.init(id);
  }
  override async terminate(): Promise<void> {
    await null;
    super.terminate();
  }
}

function specOf(plan: WorkerPlan | TreePlan, slow: boolean): ChildSpec {
  const { id, restart, significant } = plan;
  if (!('children' in plan))
    return child(slow ? SlowWorker : Worker, { args: [id], name: id, restart, significant });
  return treeOf(plan, slow);
}
function treeOf(plan: TreePlan, slow: boolean): ChildSpec<SupervisorRef> {
  const { id, children, ...options } = plan;
  return supervisor({
    ...options,
    name: id,
    maxSeconds: 1_000_000,
    children: children.map((each) => specOf(each, slow)),
  });
}

const common = {
  restart: fc.constantFrom('permanent', 'transient', 'temporary') as fc.Arbitrary<WorkerPlan['restart']>,
  significant: fc.boolean(),
};
const { tree } = fc.letrec<{ tree: TreePlan; node: WorkerPlan | TreePlan }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 2 },
    { weight: 3, arbitrary: fc.record({ id: fc.constant(''), ...common }) },
    { weight: 2, arbitrary: tie('tree') },
  ),
  tree: fc.record({
    id: fc.constant(''),
    ...common,
    strategy: fc.constantFrom('one_for_one', 'one_for_all', 'rest_for_one') as fc.Arbitrary<
      TreePlan['strategy']
    >,
    autoShutdown: fc.constantFrom('never', 'any_significant', 'all_significant') as fc.Arbitrary<
      TreePlan['autoShutdown']
    >,
    maxRestarts: fc.integer({ min: 0, max: 3 }),
    children: fc.array(tie('node'), { minLength: 1, maxLength: 4 }),
  }),
}));

/** Ids are given afterwards, and what no supervisor would accept is mended. */
function mend<T extends WorkerPlan | TreePlan>(
  plan: T,
  ids: string[],
  autoShutdown: TreePlan['autoShutdown'],
): T {
  const id = `${'children' in plan ? 's' : 'w'}${ids.length}`;
  ids.push(id);
  const significant = plan.significant && plan.restart !== 'permanent' && autoShutdown !== 'never';
  if (!('children' in plan)) return { ...plan, id, significant };
  const children = plan.children.map((each) => mend(each, ids, plan.autoShutdown));
  return { ...plan, id, significant, children };
}

const steps = fc.array(
  fc.record({
    do: fc.constantFrom('crash', 'crash', 'crash', 'finish', 'terminate', 'restart', 'delete', 'refuse'),
    at: fc.nat(1_000),
    times: fc.integer({ min: 1, max: 3 }),
  }),
  { minLength: 1, maxLength: 14 },
);

function parents(plan: TreePlan, into = new Map<string, string>()): Map<string, string> {
  for (const each of plan.children) {
    into.set(each.id, plan.id);
    if ('children' in each) parents(each, into);
  }
  return into;
}

/** On a busy machine work goes on after the event loop has turned: silence is when nobody has anything to do. */
async function settle(): Promise<void> {
  do await new Promise((resolve) => setImmediate(resolve));
  while (processTable.values().some(({ idle }) => !idle));
}

async function perform(event: Event, parentOf: Map<string, string>): Promise<void> {
  const { id } = event;
  const above = namedSupervisor(parentOf.get(id) ?? '');
  // What a supervisor refuses, or is not there to refuse, changes nothing: the model says so too.
  const refused = (): void => {};
  if (event.do === 'refuse') refusals.set(id, event.times);
  else if (event.do === 'terminate') await above.terminateChild(id).catch(refused);
  else if (event.do === 'restart') await above.restartChild(id).catch(refused);
  else if (event.do === 'delete') await above.deleteChild(id).catch(refused);
  else if (id.startsWith('w')) named<Worker>(id).cast(event.do);
  await settle();
}

test.each([
  ['at once', false],
  ['slowly', true],
])('random trees do what the model says, and leave nothing (children start and stop %s)', async (_, slow) => {
  await fc.assert(
    fc.asyncProperty(tree, steps, async (drawn, drawnSteps) => {
      const ids: string[] = [];
      const plan = mend(drawn, ids, 'never');
      const parentOf = parents(plan);
      const before = processTable.size;
      refusals.clear();
      log = [];
      const model = new Model(plan);
      const top = await startSupervisor(treeOf(plan, slow));
      try {
        expect(log).toEqual(model.log);
        for (const step of drawnSteps) {
          const id = ids[step.at % ids.length] ?? '';
          const event = { ...step, id } as Event;
          model.apply(event);
          await perform(event, parentOf);
          expect(log).toEqual(model.log);
          const running = model.running();
          expect(ids.filter((each) => whereis(each)?.alive).sort()).toEqual(running.sort());
          expect(processTable.size - before).toBe(running.length);
        }
      } finally {
        await top.stop();
      }
      expect(processTable.size).toBe(before);
    }),
    // Where the test is to fail, nobody reads the smallest case.
    { numRuns: 400, endOnFailure: process.env.HEARTH_MUTANT !== undefined },
  );
});
