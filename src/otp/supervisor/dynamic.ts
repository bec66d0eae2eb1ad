import type { Address } from '../process/address.ts';
import type { Process } from '../process/process.ts';
import { type ChildOptions, type ChildSpec, settings } from './child-spec.ts';
import { type DynamicSupervisorOptions, DynamicSupervisorProcess } from './dynamic-process.ts';
import { SupervisingRef } from './supervising-process.ts';
import type { ChildCount, ChildInfo } from './supervisor.ts';

/** Leads to a supervisor whose children come and go, and are known by their references. */
export class DynamicSupervisorRef extends SupervisingRef<DynamicSupervisorProcess> {
  /**
   * Starts a child. Undefined when its start found nothing to do.
   * @throws SupervisorError 'max-children'; StartError; AlreadyStartedError
   */
  startChild<R extends Address>(spec: ChildSpec<R>): Promise<R | undefined> {
    return this.ask('startChild', (supervisor) => supervisor.startChild(spec)) as Promise<R | undefined>;
  }

  /**
   * Stops a child, and forgets it.
   * @throws SupervisorError 'not-found'
   */
  terminateChild(ref: Address): Promise<void> {
    return this.ask('terminateChild', (supervisor) => supervisor.terminateChild(ref.find())) as Promise<void>;
  }

  children(): Promise<ChildInfo[]> {
    return this.ask('children', (supervisor) =>
      Array.from(supervisor.children(), ({ spec, ref, restarts }) => ({
        id: spec.id,
        ref,
        status: ref ? 'running' : 'restarting',
        type: spec.type,
        restarts,
      })),
    );
  }

  count(): Promise<ChildCount> {
    return this.ask('count', (supervisor) => {
      const count = { specs: supervisor.size, active: 0, supervisors: 0, workers: 0 };
      for (const { spec, ref } of supervisor.children()) {
        if (ref) count.active++;
        if (spec.type === 'supervisor') count.supervisors++;
        else count.workers++;
      }
      return count;
    });
  }

  protected own(process: Process | undefined): DynamicSupervisorProcess | undefined {
    return process instanceof DynamicSupervisorProcess ? process : undefined;
  }
}

/** A supervisor that begins with no children: `DynamicSupervisor` of Elixir, `simple_one_for_one` of OTP. */
export function dynamicSupervisor(
  options: DynamicSupervisorOptions & ChildOptions = {},
): ChildSpec<DynamicSupervisorRef> {
  return {
    ...settings(options, options.name ?? 'dynamic-supervisor', 'permanent', 'infinity'),
    type: 'supervisor',
    start: (parent) => {
      const process = new DynamicSupervisorProcess(parent, options);
      const ref = new DynamicSupervisorRef(process);
      const starting = process.begin();
      return starting ? starting.then(() => ref) : ref;
    },
  };
}

/** Leads to whichever dynamic supervisor has a name at the moment of use: its own, or one in a registry. */
export function namedDynamicSupervisor(name: string | Address): DynamicSupervisorRef {
  return new DynamicSupervisorRef(name);
}
