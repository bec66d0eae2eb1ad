import type { Address } from '../process/address.ts';
import { ownerOf } from '../process/owner.ts';
import { currentProcess } from '../process/process.ts';
import type { ServerRef } from '../server/ref.ts';
import { refOf } from '../server/ref-of.ts';
import { Storage, storages, type TableAccess, TableError, type TableOptions } from './table-storage.ts';

/**
 * A handle of a named table in memory: `ets` of OTP. Who made the table, or was given it, has the owner's rights by the
 * handle itself; what `namedTable` gives has those of everybody else. Values are not copied in or out: what you get is what
 * was put there, so change values by `put`, and not in place.
 */
export abstract class Table {
  readonly #target: Storage | string;

  constructor(target: Storage | string) {
    this.#target = target;
  }

  protected abstract readonly type: 'set' | 'bag';

  get name(): string {
    return typeof this.#target === 'string' ? this.#target : this.#target.name;
  }

  /** How many rows there are. */
  get size(): number {
    return this.storage('read').size;
  }

  clear(): void {
    const storage = this.storage('write');
    storage.rows.clear();
    storage.size = 0;
  }

  /** Gives the table to another process, with a `TableTransfer` message. Only its owner can. */
  giveAway(to: Address): void {
    this.storage('own').moveTo(ownerOf(to, `give away table '${this.name}'`));
  }

  /** Who gets the table when its owner ends; undefined for nobody. Only its owner can say. */
  setHeir(heir: Address | undefined): void {
    this.storage('own').heir = heir;
  }

  /** Ends the table. Only its owner can. */
  drop(): void {
    this.storage('own').drop();
  }

  /** @throws TableError 'no-table', 'table-access', 'table-type' */
  protected storage(to: 'read' | 'write' | 'own'): Storage {
    const target = this.#target;
    const storage = typeof target === 'string' ? storages.get(target) : target;
    if (!storage || storage.dropped) throw new TableError('no-table', `there is no table '${this.name}'`);
    if (storage.handle === this) return storage;
    if (storage.type !== this.type)
      throw new TableError('table-type', `table '${this.name}' is a ${storage.type}, not a ${this.type}`);
    const { access } = storage;
    if (to === 'own' || access === 'private' || (access === 'protected' && to === 'write'))
      throw new TableError(
        'table-access',
        `table '${this.name}' is ${access}, and is not yours: ask ${storage.owner ?? 'who made it'}`,
      );
    return storage;
  }
}

/** Each key has one value. */
export class SetTable<K = string, V = unknown> extends Table {
  protected readonly type = 'set';

  get(key: K): V | undefined {
    return this.storage('read').rows.get(key) as V | undefined;
  }

  has(key: K): boolean {
    return this.storage('read').rows.has(key);
  }

  put(key: K, value: V): void {
    const storage = this.storage('write');
    storage.rows.set(key, value);
    storage.size = storage.rows.size;
  }

  /** Puts it there unless the key has a value. False when it has. */
  insertNew(key: K, value: V): boolean {
    if (this.storage('write').rows.has(key)) return false;
    this.put(key, value);
    return true;
  }

  /** False when it was not there. */
  delete(key: K): boolean {
    const storage = this.storage('write');
    const deleted = storage.rows.delete(key);
    storage.size = storage.rows.size;
    return deleted;
  }

  /** Adds to a number, and gives the sum. */
  updateCounter(this: SetTable<K, number>, key: K, by = 1, initial = 0): number {
    const sum = (this.get(key) ?? initial) + by;
    this.put(key, sum);
    return sum;
  }

  /** The rows that a function accepts, or whose values have all fields of a pattern, by `Object.is`. */
  match(pattern: Partial<V> | ((value: V, key: K) => boolean)): [K, V][] {
    const fits = matcher<K, V>(pattern);
    return [...this.entries()].filter(([key, value]) => fits(value, key));
  }

  /** The rows, the oldest key first; what is deleted meanwhile is left out, what comes in is added. */
  entries(): IterableIterator<[K, V]> {
    return this.storage('read').rows.entries() as IterableIterator<[K, V]>;
  }
}

/** A key has any number of values, none of them twice. */
export class BagTable<K = string, V = unknown> extends Table {
  protected readonly type = 'bag';

  get(key: K): V[] {
    return [...(this.#rows('read').get(key) ?? [])];
  }

  has(key: K): boolean {
    return this.#rows('read').has(key);
  }

  put(key: K, value: V): void {
    const rows = this.#rows('write');
    const values = rows.get(key);
    if (values?.has(value)) return;
    if (values) values.add(value);
    else rows.set(key, new Set([value]));
    this.storage('write').size++;
  }

  /** Puts it there unless the key has a value. False when it has. */
  insertNew(key: K, value: V): boolean {
    if (this.#rows('write').has(key)) return false;
    this.put(key, value);
    return true;
  }

  /** Deletes a key with all of its values, or one value of it. False when there was nothing. */
  delete(key: K, ...value: [value?: V]): boolean {
    const rows = this.#rows('write');
    const values = rows.get(key);
    if (!values) return false;
    const before = values.size;
    if (value.length === 0) values.clear();
    else values.delete(value[0] as V);
    if (values.size === 0) rows.delete(key);
    this.storage('write').size -= before - values.size;
    return values.size < before;
  }

  /** The rows that a function accepts, or whose values have all fields of a pattern, by `Object.is`. */
  match(pattern: Partial<V> | ((value: V, key: K) => boolean)): [K, V][] {
    const fits = matcher<K, V>(pattern);
    return [...this.entries()].filter(([key, value]) => fits(value, key));
  }

  /** The rows, key by key, the oldest first. */
  *entries(): Generator<[K, V]> {
    for (const [key, values] of this.#rows('read')) {
      for (const value of values) yield [key, value];
    }
  }

  #rows(to: 'read' | 'write'): Map<K, Set<V>> {
    return this.storage(to).rows as Map<K, Set<V>>;
  }
}

function matcher<K, V>(pattern: Partial<V> | ((value: V, key: K) => boolean)): (value: V, key: K) => boolean {
  if (typeof pattern === 'function') return pattern as (value: V, key: K) => boolean;
  const fields = Object.entries(pattern);
  return (value) =>
    fields.every(([name, wanted]) => Object.is((value as Record<string, unknown> | null)?.[name], wanted));
}

/**
 * Makes a table whose keys have one value each, and gives the owner's handle of it.
 * @throws TableError 'table-exists'; OwnerError when the owner that is named has ended
 */
export function table<K = string, V = unknown>(options: TableOptions): SetTable<K, V> {
  return make('set', (storage) => new SetTable(storage), options) as SetTable<K, V>;
}

/**
 * Makes a table whose keys have any number of values, and gives the owner's handle of it.
 * @throws TableError 'table-exists'; OwnerError when the owner that is named has ended
 */
export function bagTable<K = string, V = unknown>(options: TableOptions): BagTable<K, V> {
  return make('bag', (storage) => new BagTable(storage), options) as BagTable<K, V>;
}

/** Leads to whichever table has a name at the moment of use, with the rights of those who do not own it. */
export function namedTable<K = string, V = unknown>(name: string): SetTable<K, V> {
  return new SetTable(name);
}

/** The same for a bag. */
export function namedBagTable<K = string, V = unknown>(name: string): BagTable<K, V> {
  return new BagTable(name);
}

export interface TableInfo {
  name: string;
  type: 'set' | 'bag';
  access: TableAccess;
  owner: ServerRef<never> | undefined;
  heir: Address | undefined;
  /** Exact. How much memory they take nobody can say in JavaScript. */
  rows: number;
}

/** All tables, the oldest first. */
export function tables(): TableInfo[] {
  return Array.from(storages.values(), ({ name, type, access, owner, heir, size }) => ({
    name,
    type,
    access,
    owner: owner && refOf<never>(owner),
    heir,
    rows: size,
  }));
}

function make(type: 'set' | 'bag', handle: (storage: Storage) => Table, options: TableOptions): Table {
  const named = options.owner !== undefined || currentProcess() !== undefined;
  const owner = named ? ownerOf(options.owner, `make table '${options.name}'`) : undefined;
  return new Storage(type, handle, owner, options).handle;
}
