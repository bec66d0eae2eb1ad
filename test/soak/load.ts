import { type Action, type Bench, pickAction } from './action.ts';
import { messageActions } from './messages.ts';
import { partActions } from './parts.ts';
import { programActions } from './programs.ts';
import { pause } from './subject.ts';

const ACTIONS: readonly Action[] = [...messageActions, ...partActions, ...programActions];
/** How many things are done at a time. */
const ACTORS = 6;
/** No action takes as long, on any machine. */
const STUCK_MS = 60_000;

/** Does things at random for a while, several at a time; fulfilled when all that was begun is done. */
export async function load(bench: Bench, forMs: number): Promise<void> {
  const until = performance.now() + forMs;
  await Promise.all(
    Array.from({ length: ACTORS }, () => actor({ ...bench, random: bench.random.fork() }, until)),
  );
}

async function actor(bench: Bench, until: number): Promise<void> {
  while (performance.now() < until) {
    await act(bench, pickAction(ACTIONS, bench.random));
    await pause(bench.random.below(5));
  }
}

async function act(bench: Bench, action: Action): Promise<void> {
  const { ledger } = bench;
  let timer: NodeJS.Timeout | undefined;
  const stuck = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      ledger.complain(`${action.name}: not done within ${STUCK_MS} ms`);
      resolve();
    }, STUCK_MS);
  });
  try {
    await Promise.race([action.run(bench), stuck]);
    ledger.count(`action ${action.name}`);
  } catch (thrown) {
    ledger.complain(`${action.name}: ${thrown instanceof Error ? thrown.stack : String(thrown)}`);
  } finally {
    clearTimeout(timer);
  }
}
