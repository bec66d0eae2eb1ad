import type { Address } from '../process/address.ts';
import { AlreadyStartedError, type Via } from '../process/names.ts';
import { ownerOf } from '../process/owner.ts';
import type { Process } from '../process/process.ts';
import { ServerRef } from '../server/ref.ts';
import type { Server } from '../server/server.ts';
import { describeKey, type Entry, entriesOf, Registration } from './entry.ts';

/** What follows the key of a registration: the value, unless it may be left out, and whose the entry is. */
export type ValueAndOwner<V> = undefined extends V
  ? [value?: V, owner?: Address]
  : [value: V, owner?: Address];
type ValueOnly<V> = undefined extends V ? [value?: V] : [value: V];

/**
 * Names for processes, each for one at a time: `Registry` of Elixir with `keys: :unique`. Keys are compared as those of a
 * Map: strings and numbers by value, objects by identity. An entry goes when its process ends, before anyone is told of
 * the end: a process that is started anew finds its name free. A registry is no process, and needs no supervisor.
 *
 * ```ts
 * const rooms = new Registry<string, undefined, Room>('rooms');
 * await start(Room, { via: rooms.key('kitchen') });
 * await rooms.ref('kitchen').call('enter', 'Ada');
 * ```
 */
export class Registry<K = string, V = undefined, T extends Server = Server> {
  readonly name: string;
  readonly #entries = new Map<K, Registration<K, V, T>>();
  /** Entries tell it that they go; nobody else may. */
  readonly #home = {
    forget: ({ key }: Registration<K, V, T>): void => void this.#entries.delete(key),
  };

  constructor(name = 'registry') {
    this.name = name;
  }

  /**
   * Gives the calling process a key. After the first `await` of a handler it is not known who calls: say it.
   * @throws AlreadyStartedError when the key is taken, be it by the process itself; OwnerError
   */
  register(key: K, ...[value, owner]: ValueAndOwner<V>): Entry<K, V, T> {
    return this.#add(ownerOf(owner, `register '${describeKey(key)}'`), key, value as V);
  }

  /** The key as the name of a server that is started: `start(Room, { via: rooms.key('kitchen') })`. */
  key(key: K, ...[value]: ValueOnly<V>): Via {
    return { register: (process) => void this.#add(process, key, value as V) };
  }

  /** Gives the key up. Without effect where it is another's. */
  unregister(key: K, owner?: Address): void {
    const process = ownerOf(owner, `unregister '${describeKey(key)}'`);
    const entry = this.#entries.get(key);
    if (entry?.process === process) entry.withdraw();
  }

  /**
   * Changes the value of the calling process' own entry. Undefined when the key is not its own.
   */
  update(key: K, change: (value: V) => V, owner?: Address): Entry<K, V, T> | undefined {
    const process = ownerOf(owner, `update '${describeKey(key)}'`);
    const entry = this.#entries.get(key);
    if (entry?.process !== process) return undefined;
    entry.value = change(entry.value);
    return entry;
  }

  lookup(key: K): Entry<K, V, T> | undefined {
    return this.#entries.get(key);
  }

  /** Leads to whoever has the key at the moment of use. */
  ref<U extends T = T>(key: K): ServerRef<U> {
    const find = (): Process | undefined => this.#entries.get(key)?.process;
    find.toString = () => this.#says(key);
    return new ServerRef<U>(find);
  }

  /** Does something with the entry of a key, if there is one. */
  dispatch(key: K, visit: (entry: Entry<K, V, T>) => void): void {
    const entry = this.#entries.get(key);
    if (entry) visit(entry);
  }

  /** The keys of one process. */
  keys(owner: Address): K[] {
    return entriesOf<K, V, T>(this.#home, owner.find()).map(({ key }) => key);
  }

  count(): number {
    return this.#entries.size;
  }

  /** All entries, the oldest first. */
  entries(): IterableIterator<Entry<K, V, T>> {
    return this.#entries.values();
  }

  #add(process: Process, key: K, value: V): Entry<K, V, T> {
    const holder = this.#entries.get(key);
    if (holder) throw new AlreadyStartedError(this.#says(key), holder.process);
    const entry = new Registration(this.#home, process, key, value);
    this.#entries.set(key, entry);
    return entry;
  }

  #says(key: K): string {
    return `${this.name}/${describeKey(key)}`;
  }
}
