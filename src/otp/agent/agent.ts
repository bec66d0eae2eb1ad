import { Address } from '../process/address.ts';
import type { Process } from '../process/process.ts';
import { isThenable } from '../process/thenable.ts';
import { named, type ServerRef } from '../server/ref.ts';
import { Server } from '../server/server.ts';
import type { ProcessOptions } from '../server/server-process.ts';
import { start } from '../server/start.ts';
import { state } from '../server/state.ts';
import { type ChildOptions, type ChildSpec, child } from '../supervisor/child-spec.ts';

type MaybeLater<T> = T | PromiseLike<T>;

/** The process behind an agent. */
export class AgentServer<S> extends Server {
  #state: S | undefined;

  override init(first: () => MaybeLater<S>): unknown {
    return this.#become(first());
  }

  get<R>(look: (value: S) => MaybeLater<R>): MaybeLater<R> {
    return look(this.#state as S);
  }

  update(change: (value: S) => MaybeLater<S>): unknown {
    return this.#become(change(this.#state as S));
  }

  getAndUpdate<R>(change: (value: S) => MaybeLater<readonly [R, S]>): MaybeLater<R> {
    const both = change(this.#state as S);
    if (isThenable(both)) return both.then((settled) => this.#split(settled));
    return this.#split(both as readonly [R, S]);
  }

  override get [state](): S {
    return this.#state as S;
  }

  override set [state](next: S) {
    this.#state = next;
  }

  #become(next: MaybeLater<S>): undefined | PromiseLike<void> {
    if (isThenable(next)) return next.then((settled) => this.#set(settled as S));
    this.#set(next as S);
    return undefined;
  }

  #split<R>([answer, next]: readonly [R, S]): R {
    this.#set(next);
    return answer;
  }

  #set(next: S): void {
    this.#state = next;
  }
}

/**
 * Leads to an agent. What is handed to it runs in the agent's process, one after the other; what takes long holds up the
 * others. A function that throws ends the agent, as a handler ends its server, unless it throws a `ReplyError`.
 */
export class AgentRef<S> extends Address {
  readonly #server: ServerRef<AgentServer<S>>;

  constructor(server: ServerRef<AgentServer<S>>) {
    super();
    this.#server = server;
  }

  /** What a function makes of the state. The state itself is not copied: do not change it in place. */
  get(): Promise<S>;
  get<R>(look: (value: S) => MaybeLater<R>): Promise<Awaited<R>>;
  get(look: (value: S) => unknown = (value) => value): Promise<unknown> {
    return this.#server.call('get', look);
  }

  async update(change: (value: S) => MaybeLater<S>): Promise<void> {
    await this.#server.call('update', change);
  }

  /** Answers with the first of a pair, and goes on with the second. */
  getAndUpdate<R>(change: (value: S) => MaybeLater<readonly [R, S]>): Promise<R> {
    return this.#server.call(
      'getAndUpdate',
      change as (value: S) => MaybeLater<readonly [unknown, S]>,
    ) as Promise<R>;
  }

  /** An update that nobody waits for. */
  cast(change: (value: S) => MaybeLater<S>): void {
    this.#server.cast('update', change);
  }

  /** The same agent, with another patience. */
  within(timeoutMs: number): AgentRef<S> {
    return new AgentRef(this.#server.within(timeoutMs));
  }

  find(): Process | undefined {
    return this.#server.find();
  }

  toString(): string {
    return this.#server.toString();
  }
}

/**
 * Starts an agent: state by itself, for which a class would say too much.
 *
 * ```ts
 * const visits = await startAgent(() => new Map<string, number>());
 * await visits.update((map) => map.set('home', 1));
 * await visits.get((map) => map.get('home')); // 1
 * ```
 * @throws StartError when the function throws; AlreadyStartedError when the name is taken
 */
export async function startAgent<S>(
  first: () => MaybeLater<S>,
  options: ProcessOptions = {},
): Promise<AgentRef<S>> {
  return new AgentRef(await start(AgentServer<S>, { ...options, args: [first] }));
}

/** An agent as a child of a supervisor. */
export function agent<S>(
  first: () => MaybeLater<S>,
  options: ProcessOptions & ChildOptions = {},
): ChildSpec<AgentRef<S>> {
  const spec = child(AgentServer<S>, { id: options.name ?? 'agent', ...options, args: [first] });
  return {
    ...spec,
    start: (supervisor) => {
      const started = spec.start(supervisor);
      const made = (server: ServerRef<AgentServer<S>> | undefined) => server && new AgentRef(server);
      return started instanceof Promise ? started.then(made) : made(started);
    },
  };
}

/** Leads to whichever agent has a name at the moment of use. */
export function namedAgent<S>(name: string): AgentRef<S> {
  return new AgentRef(named<AgentServer<S>>(name));
}
