import type { Process } from '../process/process.ts';
import { ServerRef } from '../server/ref.ts';
import type { Server } from '../server/server.ts';
import type { ServerClass } from '../server/server-process.ts';
import type { ArgsOf } from '../server/start.ts';
import { type ChildOptions, type ChildSpec, settings } from '../supervisor/child-spec.ts';
import { workerStart } from './mark.ts';
import { serve } from './thread.ts';
import { type WorkerOptions, WorkerProcess } from './worker-process.ts';

type WorkerStartOptions<T extends Server> = WorkerOptions &
  (ArgsOf<T> extends [] ? { args?: [] } : { args: ArgsOf<T> });
type WorkerChildOptions<T extends Server> = ChildOptions & WorkerStartOptions<T>;
type Rest<T extends Server, O> = ArgsOf<T> extends [] ? [options?: O] : [options: O];

/** A server class that runs in threads. */
export interface WorkerClass<T extends Server> {
  /** Starts one in a thread of its own. @throws StartError */
  start(...rest: Rest<T, WorkerStartOptions<T>>): Promise<ServerRef<T>>;
  /** One as a child of a supervisor, each in a thread of its own. */
  child(...rest: Rest<T, WorkerChildOptions<T>>): ChildSpec<ServerRef<T>>;
}

const known = new Set<string>();

/**
 * Says that a class of servers runs in threads: for work that computes, and would hold up every other process here. It is
 * called, typed and supervised like any server; arguments and answers are copied (structured clone). Such a server can be
 * ended in the middle of an endless loop, as no other can.
 *
 * ```ts
 * export class Primes extends Server {
 *   count(below: number): number { … }
 * }
 * export const primes = workerServer(Primes, import.meta.url);
 * // elsewhere:
 * supervisor({ children: [primes.child({ name: 'primes', timeoutMs: 10_000 })] });
 * await named<Primes>('primes').call('count', 1e6);
 * ```
 *
 * To be called where the class is defined, when its module is loaded: the thread loads the same module, and finds it there.
 * In a bundle that is the whole app: `run` does nothing in such a thread, and what else the app does when it is loaded, it
 * does there as well.
 * @param url `import.meta.url`
 */
export function workerServer<T extends Server>(kind: ServerClass<T>, url: string | URL): WorkerClass<T> {
  const { name } = kind;
  const key = `${name} ${url}`;
  if (known.has(key))
    throw new Error(`two classes named ${name} are to run in workers of ${url}: rename one`);
  known.add(key);
  const here = workerStart();
  // Not before the module is there as a whole: what follows the class, its handlers may need.
  if (here?.name === name) setImmediate(() => void serve(kind, here.args));
  const begin = (parent: Process | undefined, options: WorkerOptions & { args?: readonly unknown[] }) => {
    const process = new WorkerProcess(name, parent, options);
    const args = [new URL(url), { name, args: options.args ?? [] }, options];
    const ref = new ServerRef<T>(process);
    return Promise.resolve(process.begin(args, parent !== undefined)).then(() => ref);
  };
  return {
    start: (...[options]) => begin(undefined, options ?? {}),
    child: (...[options]) => ({
      ...settings(options ?? {}, options?.name ?? name, 'permanent'),
      type: 'worker',
      start: (supervisor) => begin(supervisor, options ?? {}),
    }),
  };
}
