import type { Address } from '../process/address.ts';
import type { Process } from '../process/process.ts';
import type { ServerRef } from '../server/ref.ts';
import { refOf } from '../server/ref-of.ts';
import type { Server } from '../server/server.ts';
import { type ServerClass, ServerProcess } from '../server/server-process.ts';
import type { ArgsOf, StartOptions } from '../server/start.ts';

/** When a child that has ended is started anew: always; only after a crash; never. */
export type Restart = 'permanent' | 'transient' | 'temporary';

/** How a child is stopped: asked, and killed after so many milliseconds; killed at once; asked, and waited for. */
export type Shutdown = number | 'brutal' | 'infinity';

/** How long a worker may take to stop unless its spec says otherwise, as in OTP. */
export const SHUTDOWN_MS = 5_000;

/** What a supervisor knows of a child before it runs. `child`, `supervisor`, `Task.child` … make them. */
export interface ChildSpec<R extends Address = Address> {
  /** Unique within its supervisor. */
  readonly id: string;
  readonly restart: Restart;
  readonly shutdown: Shutdown;
  /** Whether its end by itself counts for the supervisor's `autoShutdown`. */
  readonly significant: boolean;
  readonly type: 'worker' | 'supervisor';
  /**
   * Makes the process, linked to its supervisor, and gives a promise only where starting takes time. Undefined, of a
   * start that finds nothing to do: the child counts as stopped (`ignore` in OTP).
   */
  start(supervisor: Process | undefined): R | undefined | Promise<R | undefined>;
}

/** What every child may say about itself. */
export interface ChildOptions {
  /** The default is the name, or else the class' name. */
  id?: string | undefined;
  restart?: Restart | undefined;
  shutdown?: Shutdown | undefined;
  significant?: boolean | undefined;
}

type ServerChildOptions<T extends Server> = ChildOptions & StartOptions<T>;

/** A server as a child: `child(Counter, { args: [1], name: 'counter', restart: 'transient' })`. */
export function child<T extends Server>(
  kind: ServerClass<T>,
  ...[given]: ArgsOf<T> extends [] ? [options?: ServerChildOptions<T>] : [options: ServerChildOptions<T>]
): ChildSpec<ServerRef<T>> {
  const options: ChildOptions & StartOptions<Server> = given ?? {};
  return {
    ...settings(options, options.name ?? kind.name, 'permanent'),
    type: 'worker',
    start: (supervisor) => {
      const process = new ServerProcess(kind, supervisor, options);
      const ref = refOf<T>(process);
      const starting = process.begin(options.args ?? [], supervisor !== undefined);
      return starting ? starting.then(() => ref) : ref;
    },
  };
}

/** The part of a spec that all kinds of children have. */
export function settings(
  options: ChildOptions,
  id: string,
  restart: Restart,
  shutdown: Shutdown = SHUTDOWN_MS,
): Omit<ChildSpec, 'type' | 'start'> {
  return {
    id: options.id ?? id,
    restart: options.restart ?? restart,
    shutdown: options.shutdown ?? shutdown,
    significant: options.significant ?? false,
  };
}
