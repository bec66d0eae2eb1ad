import type { Possession, Process } from '../process/process.ts';
import type { ServerRef } from '../server/ref.ts';
import { refOf } from '../server/ref-of.ts';
import type { Server } from '../server/server.ts';

/** One process under one key. */
export interface Entry<K, V, T extends Server = Server> {
  readonly key: K;
  /** What the process wants others to know when they find it. */
  readonly value: V;
  readonly ref: ServerRef<T>;
}

/** An entry of its registry, which it leaves when its process ends. */
export class Registration<K, V, T extends Server> implements Entry<K, V, T>, Possession {
  readonly key: K;
  value: V;
  readonly process: Process;
  readonly ref: ServerRef<T>;
  readonly #home: { forget(entry: Registration<K, V, T>): void };

  constructor(home: { forget(entry: Registration<K, V, T>): void }, process: Process, key: K, value: V) {
    this.#home = home;
    this.process = process;
    this.key = key;
    this.value = value;
    this.ref = refOf(process);
    process.owns(this);
  }

  released(): void {
    this.#home.forget(this);
  }

  /** Taken out before its process ends. */
  withdraw(): void {
    this.process.possessions?.delete(this);
    this.#home.forget(this);
  }

  isOf(home: object): boolean {
    return this.#home === home;
  }
}

/** The entries that a process has in one registry, in the order in which it made them. */
export function entriesOf<K, V, T extends Server>(
  home: object,
  process: Process | undefined,
): Registration<K, V, T>[] {
  const entries: Registration<K, V, T>[] = [];
  for (const possession of process?.possessions ?? []) {
    if (possession instanceof Registration && possession.isOf(home)) entries.push(possession);
  }
  return entries;
}

/** How an error calls a key. */
export function describeKey(key: unknown): string {
  if (typeof key === 'string') return key;
  return typeof key === 'object' && key !== null ? 'an object' : String(key);
}
