import type { Address } from '../process/address.ts';
import { ownerOf } from '../process/owner.ts';
import type { Server } from '../server/server.ts';
import { describeKey, type Entry, entriesOf, Registration } from './entry.ts';
import type { ValueAndOwner } from './registry.ts';

/**
 * Keys that many processes have, each as often as it likes, with a value for each: `Registry` of Elixir with
 * `keys: :duplicate`; for topics and subscribers.
 *
 * ```ts
 * const topics = new DuplicateRegistry<string, { since: number }, Subscriber>();
 * topics.register('weather', { since: 2024 }); // in a handler of a Subscriber
 * topics.dispatch('weather', ({ ref }) => ref.cast('rain', 3));
 * ```
 */
export class DuplicateRegistry<K = string, V = undefined, T extends Server = Server> {
  readonly #entries = new Map<K, Set<Registration<K, V, T>>>();
  #count = 0;
  readonly #home = { forget: (entry: Registration<K, V, T>): void => this.#forget(entry) };

  /**
   * Adds the calling process under a key. After the first `await` of a handler it is not known who calls: say it.
   * @throws OwnerError
   */
  register(key: K, ...[value, owner]: ValueAndOwner<V>): Entry<K, V, T> {
    const process = ownerOf(owner, `register '${describeKey(key)}'`);
    const entry = new Registration<K, V, T>(this.#home, process, key, value as V);
    let same = this.#entries.get(key);
    if (!same) {
      same = new Set();
      this.#entries.set(key, same);
    }
    same.add(entry);
    this.#count++;
    return entry;
  }

  /** Takes out all entries that the process has under the key. */
  unregister(key: K, owner?: Address): void {
    const process = ownerOf(owner, `unregister '${describeKey(key)}'`);
    for (const entry of [...(this.#entries.get(key) ?? [])]) {
      if (entry.process === process) entry.withdraw();
    }
  }

  /** The entries of a key, the oldest first. */
  lookup(key: K): Entry<K, V, T>[] {
    return [...(this.#entries.get(key) ?? [])];
  }

  /**
   * Does something with each entry of a key, the oldest first; entries that go meanwhile are left out. What it throws ends
   * the round: a cast to a full mailbox throws.
   */
  dispatch(key: K, visit: (entry: Entry<K, V, T>) => void): void {
    const same = this.#entries.get(key);
    for (const entry of [...(same ?? [])]) {
      if (same?.has(entry)) visit(entry);
    }
  }

  /** The keys of one process, each as often as it has it. */
  keys(owner: Address): K[] {
    return entriesOf<K, V, T>(this.#home, owner.find()).map(({ key }) => key);
  }

  /** How many entries there are: of one key, or in all. */
  count(key?: K): number {
    return key === undefined ? this.#count : (this.#entries.get(key)?.size ?? 0);
  }

  #forget(entry: Registration<K, V, T>): void {
    const same = this.#entries.get(entry.key);
    if (!same?.delete(entry)) return;
    this.#count--;
    if (same.size === 0) this.#entries.delete(entry.key);
  }
}
