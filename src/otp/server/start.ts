import type { Process } from '../process/process.ts';
import type { ServerRef } from './ref.ts';
import { refOf } from './ref-of.ts';
import type { Server } from './server.ts';
import { type ProcessOptions, type ServerClass, ServerProcess } from './server-process.ts';

/** The arguments of a server's `init`. */
export type ArgsOf<T extends Server> = T['init'] extends (...args: infer A) => unknown
  ? never[] extends A
    ? []
    : A
  : [];

export type StartOptions<T extends Server> = ProcessOptions &
  (ArgsOf<T> extends [] ? { args?: [] } : { args: ArgsOf<T> });

/** The options of a start, which may be left out where `init` takes nothing. */
export type StartRest<T extends Server> =
  ArgsOf<T> extends [] ? [options?: StartOptions<T>] : [options: StartOptions<T>];

/**
 * Starts a server that no other process is linked to, and waits until its `init` is done.
 * @throws StartError when `init` fails; AlreadyStartedError when the name is taken
 */
export function start<T extends Server>(
  kind: ServerClass<T>,
  ...[options]: StartRest<T>
): Promise<ServerRef<T>> {
  return begin(kind, options ?? {}, undefined, false);
}

export async function begin<T extends Server>(
  kind: ServerClass<T>,
  options: ProcessOptions & { args?: readonly unknown[] },
  parent: Process | undefined,
  linked: boolean,
): Promise<ServerRef<T>> {
  const process = new ServerProcess(kind, parent, options);
  const starting = process.begin(options.args ?? [], linked);
  if (starting) await starting;
  return refOf(process);
}
