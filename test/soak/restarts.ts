import { namedSupervisor } from '../../src/otp/index.ts';
import type { Ledger } from './ledger.ts';
import { GROUPS } from './tree.ts';

/**
 * Compares how often children were started anew with the crashes that their supervisors told of: in `one_for_one` each has
 * its own, in `one_for_all` those of all, in `rest_for_one` its own and those of all before it. A start that failed in a
 * group restarts parts of it twice: such a supervisor is not compared before it is replaced.
 */
export async function compareRestarts(ledger: Ledger): Promise<{ compared: number; wrong: string[] }> {
  const wrong: string[] = [];
  let compared = 0;
  for (const name of GROUPS) {
    const ref = namedSupervisor(name);
    const supervisor = ref.find();
    if (!supervisor) continue;
    const { terminated, startErrors } = ledger.told(supervisor);
    if (name !== 'one_for_one' && startErrors > 0) continue;
    const children = await ref.children();
    const crashes = children.map(({ id }) => terminated.get(id) ?? 0);
    for (const [at, { id, restarts }] of children.entries()) {
      const first = name === 'one_for_one' ? at : 0;
      const last = name === 'one_for_all' ? crashes.length : at + 1;
      const told = crashes.slice(first, last).reduce((sum, count) => sum + count, 0);
      compared++;
      if (restarts !== told) wrong.push(`${name}/${id}: ${restarts} restarts, ${told} ends were told of`);
    }
  }
  return { compared, wrong };
}
