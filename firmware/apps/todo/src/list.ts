import { Down, OverloadError, Server, Shutdown, sys } from 'hearthfw';
import { readList, shardOf } from './database.ts';
import { ListBusyError } from './errors.ts';
import type { Entry } from './record.ts';

/** How many entries of one list may be on their way to the disk. */
const MOST_WRITING = 100;

/** One to-do list, in memory as long as somebody asks for it. Only what is on the disk is in it. */
export class List extends Server {
  #name = '';
  readonly #titles = new Map<string, string[]>();
  #writing = 0;

  override init(name: string, idleMs: number): void {
    this.#name = name;
    this.setTimeout(idleMs);
    // What the writer had not answered when it crashed may be on the disk, or not: a new server of this list reads it.
    this.monitor(shardOf(name));
    // Not here: whoever starts a list must not wait for the disk, and the next who starts another, for that one.
    this.continueWith(() => this.#load());
  }

  titles(date: string): readonly string[] {
    return this.#titles.get(date) ?? [];
  }

  /**
   * Is answered when the entry is on the disk; meanwhile the list answers others.
   * @throws ListBusyError, DiskFullError
   */
  add(date: string, title: string) {
    if (this.#writing >= MOST_WRITING) throw new ListBusyError(`${this.#writing} entries are being stored`);
    return this.later(this.#store({ list: this.#name, date, title }));
  }

  override info(message: unknown): void {
    if (message instanceof Down) this.stop('shutdown');
  }

  /** Nobody asks for it: it is on the disk, and comes back when somebody does. */
  override timeout(): void {
    if (this.#writing === 0) this.stop('normal');
  }

  override get [sys.state]() {
    return { name: this.#name, writing: this.#writing, titles: this.#titles };
  }

  async #load(): Promise<void> {
    try {
      for (const entry of await readList(this.#name)) this.#remember(entry);
    } catch (error) {
      if (!(error instanceof OverloadError)) throw error;
      // No crash: there is nothing to report, and nothing to mend.
      this.stop(new Shutdown('overload'));
    }
  }

  async #store(entry: Entry): Promise<void> {
    this.#writing++;
    try {
      // Who asked has a time-out; the entry has none, and is here when it is on the disk at last.
      await shardOf(this.#name).within(Number.POSITIVE_INFINITY).call('append', entry);
      this.#remember(entry);
    } finally {
      this.#writing--;
    }
  }

  #remember({ date, title }: Entry): void {
    const titles = this.#titles.get(date);
    if (titles) titles.push(title);
    else this.#titles.set(date, [title]);
  }
}
