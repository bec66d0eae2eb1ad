import {
  AlreadyStartedError,
  CallError,
  type ChildSpec,
  child,
  dynamicSupervisor,
  namedDynamicSupervisor,
  Registry,
  type ServerRef,
} from 'hearthfw';
import { List } from './list.ts';

/** A list that stopped for idleness just as it was asked is started and asked again, this often. */
const MOST_TRIES = 3;
/** Lists in memory at a time. */
const MOST_LISTS = 20_000;
/** Messages that wait while a list comes from the disk. */
const MOST_WAITING = 200;

export interface ListsOptions {
  /** How long a list stays in memory when nobody asks for it. */
  idleMs: number;
}

/** The lists that somebody asks for: each a server, found by its name, and started by whoever asks first. */
export class Lists {
  readonly #registry = new Registry<string, undefined, List>('lists');
  readonly #idleMs: number;
  readonly #supervisor = namedDynamicSupervisor('lists');

  constructor({ idleMs }: ListsOptions) {
    this.#idleMs = idleMs;
  }

  get supervisor(): ChildSpec {
    return dynamicSupervisor({ name: 'lists', maxChildren: MOST_LISTS });
  }

  get count(): number {
    return this.#registry.count();
  }

  /**
   * Asks a list something.
   * @throws what the call does; SupervisorError 'max-children'
   */
  async ask<R>(name: string, question: (list: ServerRef<List>) => Promise<R>): Promise<R> {
    for (let tries = 1; ; tries++) {
      try {
        return await question(this.#registry.lookup(name)?.ref ?? (await this.#start(name)));
      } catch (error) {
        if (tries === MOST_TRIES || !endedForIdleness(error)) throw error;
      }
    }
  }

  async #start(name: string): Promise<ServerRef<List>> {
    try {
      await this.#supervisor.startChild(
        child(List, {
          args: [name, this.#idleMs],
          via: this.#registry.key(name),
          // The same for logs, and for `named`.
          name: `list ${name}`,
          mailboxLimit: MOST_WAITING,
          // The next who asks for it starts it: a list that crashes whenever it is asked costs the others nothing.
          restart: 'temporary',
        }),
      );
    } catch (error) {
      // Two asked at once, and the other was first.
      if (!(error instanceof AlreadyStartedError)) throw error;
    }
    return this.#registry.ref(name);
  }
}

/** It stopped between being found and being asked. Such a call was not handled: it may be made again. */
function endedForIdleness(error: unknown): boolean {
  return error instanceof CallError && (error.reason === 'normal' || error.reason === 'noproc');
}
