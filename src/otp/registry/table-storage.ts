import type { Address } from '../process/address.ts';
import { Message } from '../process/message.ts';
import type { Possession, Process } from '../process/process.ts';
import type { ServerRef } from '../server/ref.ts';
import { refOf } from '../server/ref-of.ts';
import type { Table } from './table.ts';

/** Who may read and write a table besides its owner. */
export type TableAccess = 'public' | 'protected' | 'private';

export interface TableOptions {
  /** By which others find it; no two tables have the same. */
  name: string;
  /** 'public': all read and write; 'protected', the default: all read; 'private': the owner alone. */
  access?: TableAccess | undefined;
  /**
   * The default is the process whose handler runs now. Where there is none, as outside of any and after a handler's first
   * `await`, the table stays until it is dropped.
   */
  owner?: Address | undefined;
  /** Who gets the table, by a `TableTransfer` message, when its owner ends. Without one it goes then. */
  heir?: Address | undefined;
}

/** A message to a process that owns a table from now on: its owner before gave it away, or has ended. */
export class TableTransfer<T = Table> {
  readonly table: T;
  readonly from: ServerRef<never> | undefined;
  constructor(table: T, from: ServerRef<never> | undefined) {
    this.table = table;
    this.from = from;
  }
}

/** What is wrong with a table, or with who uses it. */
export class TableError extends Error {
  readonly code: 'no-table' | 'table-exists' | 'table-access' | 'table-type';
  constructor(code: TableError['code'], message: string) {
    super(message);
    this.name = 'TableError';
    this.code = code;
  }
}

export const storages = new Map<string, Storage>();

/** The rows of a table, and whose they are. Handles come and go with the owners; the rows stay. */
export class Storage implements Possession {
  readonly name: string;
  readonly type: 'set' | 'bag';
  readonly #makeHandle: (storage: Storage) => Table;
  readonly access: TableAccess;
  /** Of a bag the values are sets. */
  readonly rows = new Map<unknown, unknown>();
  /** How many rows: of a bag there are more than keys. */
  size = 0;
  heir: Address | undefined;
  owner: Process | undefined;
  /** The one handle that has the owner's rights. */
  handle: Table;

  constructor(
    type: 'set' | 'bag',
    makeHandle: (storage: Storage) => Table,
    owner: Process | undefined,
    options: TableOptions,
  ) {
    this.name = options.name;
    if (storages.has(this.name))
      throw new TableError('table-exists', `there is a table '${this.name}' already`);
    this.type = type;
    this.#makeHandle = makeHandle;
    this.access = options.access ?? 'protected';
    this.heir = options.heir;
    this.owner = owner;
    this.handle = makeHandle(this);
    owner?.owns(this);
    storages.set(this.name, this);
  }

  released(): void {
    const heir = this.heir?.find();
    if (heir?.alive) this.moveTo(heir);
    else this.drop();
  }

  /** The owner's rights go with it: what the owner before holds counts as anyone's from now on. */
  moveTo(next: Process): void {
    const before = this.owner;
    before?.possessions?.delete(this);
    this.owner = next;
    this.handle = this.#makeHandle(this);
    next.owns(this);
    const from = before && refOf<never>(before);
    next.admit(new Message('info', '', [new TableTransfer(this.handle, from)]));
  }

  get dropped(): boolean {
    return storages.get(this.name) !== this;
  }

  drop(): void {
    this.owner?.possessions?.delete(this);
    this.rows.clear();
    this.size = 0;
    if (!this.dropped) storages.delete(this.name);
  }
}
