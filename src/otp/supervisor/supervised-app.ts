import type { Address } from '../process/address.ts';
import { describeReason } from '../process/reason.ts';
import type { ChildSpec } from './child-spec.ts';
import { SupervisingProcess } from './supervising-process.ts';
import { startSupervisor } from './supervisor.ts';

/** A supervision tree as the app that `run` runs. */
export interface SupervisedApp {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Fulfilled when the tree has ended: with why, if that was a failure. */
  ended(): Promise<Error | undefined>;
}

export function supervisedApp(spec: ChildSpec): SupervisedApp {
  let top: Address | undefined;
  return {
    start: async () => {
      top = await startSupervisor(spec);
    },
    stop: async () => {
      const ended = top?.ended();
      top?.find()?.exit('shutdown');
      await ended;
    },
    ended: async () => {
      const process = top?.find();
      const reason = await top?.ended();
      const gaveUp = process instanceof SupervisingProcess ? process.gaveUp : undefined;
      if (gaveUp) {
        const last = `'${gaveUp.child}' had ended: ${describeReason(gaveUp.reason)}`;
        return new Error(`the supervisor '${spec.id}' gave up restarting its children; ${last}`, {
          cause: gaveUp.reason,
        });
      }
      // One that was asked to end, or whose significant children have done their work, has not failed.
      if (reason === 'killed' || reason instanceof Error)
        return new Error(`the supervisor '${spec.id}' ended: ${describeReason(reason)}`, { cause: reason });
      return undefined;
    },
  };
}
