import type { Ledger } from './ledger.ts';
import type { Random } from './random.ts';

/** What an action has at hand. */
export interface Bench {
  random: Random;
  ledger: Ledger;
  /** A folder of the soak's own. */
  folder: string;
  /** The path of heart, by which some ports are started. */
  heart: string;
  /** Hangs up on all clients. */
  hangUp(): void;
}

/** One thing that a program does with the library. When its promise settles, nothing of it is left to be done. */
export interface Action {
  name: string;
  /** How often it is picked, beside the others. */
  weight: number;
  run(bench: Bench): Promise<void>;
}

export function pickAction(actions: readonly Action[], random: Random): Action {
  let left = random.next() * actions.reduce((sum, { weight }) => sum + weight, 0);
  for (const action of actions) {
    left -= action.weight;
    if (left < 0) return action;
  }
  throw new Error('no actions');
}
