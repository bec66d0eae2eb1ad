import type { Address } from '../process/address.ts';
import type { Process } from '../process/process.ts';
import { type ChildOptions, type ChildSpec, settings } from './child-spec.ts';
import { SupervisingRef } from './supervising-process.ts';
import { checkSupervisor, type SupervisorOptions } from './supervisor-options.ts';
import { SupervisorProcess } from './supervisor-process.ts';

/** One line about a child. */
export interface ChildInfo {
  id: string;
  /** The process now; a name outlives it. */
  ref: Address | undefined;
  status: 'running' | 'restarting' | 'stopped';
  type: 'worker' | 'supervisor';
  /** How often it was started anew. */
  restarts: number;
}

export interface ChildCount {
  /** Children, whether they run or not. */
  specs: number;
  /** Those that run. */
  active: number;
  supervisors: number;
  workers: number;
}

/** Leads to a supervisor: `startSupervisor(supervisor({ … }))`. A child's `init` must not ask it: it waits for that. */
export class SupervisorRef extends SupervisingRef<SupervisorProcess> {
  children(): Promise<ChildInfo[]> {
    return this.ask('children', ({ children }) =>
      children.map(({ spec: { id, type }, ref, state, restarts }) => ({
        id,
        ref,
        status: state,
        type,
        restarts: Math.max(0, restarts),
      })),
    );
  }

  count(): Promise<ChildCount> {
    return this.ask('count', ({ children }) => {
      const supervisors = children.filter(({ spec }) => spec.type === 'supervisor').length;
      return {
        specs: children.length,
        active: children.filter(({ state }) => state === 'running').length,
        supervisors,
        workers: children.length - supervisors,
      };
    });
  }

  /**
   * Adds a child after the others, and starts it. Undefined when its start found nothing to do.
   * @throws SupervisorError 'already-started', 'already-present', 'bad-spec'; StartError; AlreadyStartedError
   */
  startChild<R extends Address>(spec: ChildSpec<R>): Promise<R | undefined> {
    return this.ask('startChild', (supervisor) => supervisor.startChild(spec)) as Promise<R | undefined>;
  }

  /**
   * Stops a child. It stays stopped until it is restarted by id, or with its group; a temporary one is forgotten.
   * @throws SupervisorError 'not-found'
   */
  terminateChild(id: string): Promise<void> {
    return this.ask('terminateChild', (supervisor) => supervisor.terminateChild(id)) as Promise<void>;
  }

  /**
   * Starts a child that is stopped.
   * @throws SupervisorError 'not-found', 'running', 'restarting'; StartError; AlreadyStartedError
   */
  restartChild(id: string): Promise<Address | undefined> {
    return this.ask('restartChild', (supervisor) => supervisor.restartChild(id));
  }

  /**
   * Forgets a child that is stopped.
   * @throws SupervisorError 'not-found', 'running', 'restarting'
   */
  deleteChild(id: string): Promise<void> {
    return this.ask('deleteChild', (supervisor) => supervisor.deleteChild(id));
  }

  protected own(process: Process | undefined): SupervisorProcess | undefined {
    return process instanceof SupervisorProcess ? process : undefined;
  }
}

/**
 * A supervisor, to be started by `startSupervisor`, by `run`, or as a child of another. Stopping one as a child takes
 * as long as its children need, unless `shutdown` says otherwise.
 *
 * ```ts
 * supervisor({ strategy: 'rest_for_one', children: [child(Store), child(Api, { args: [8080] })] })
 * ```
 * @throws SupervisorError 'bad-spec'
 */
export function supervisor(options: SupervisorOptions & ChildOptions): ChildSpec<SupervisorRef> {
  checkSupervisor(options);
  return {
    ...settings(options, options.name ?? 'supervisor', 'permanent', 'infinity'),
    type: 'supervisor',
    start: (parent) => {
      const process = new SupervisorProcess(parent, options);
      const ref = new SupervisorRef(process);
      const starting = process.begin();
      return starting ? starting.then(() => ref) : ref;
    },
  };
}

/** Leads to whichever supervisor has a name at the moment of use: its own, or one in a registry, `rooms.ref('kitchen')`. */
export function namedSupervisor(name: string | Address): SupervisorRef {
  return new SupervisorRef(name);
}

/**
 * Starts a supervisor, or anything else that has a spec, and waits until its children are up. Nobody is linked to it,
 * unless a process is named whose end is to be its end.
 * @throws StartError when a child fails to start: those that were up have been stopped; AlreadyStartedError
 */
export async function startSupervisor<R extends Address>(spec: ChildSpec<R>, parent?: Address): Promise<R> {
  const ref = await spec.start(parent?.process());
  if (ref) return ref;
  throw new Error(`the start of '${spec.id}' found nothing to do`);
}
