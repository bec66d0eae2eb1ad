import { logger, Server, type ServerRef, telemetry } from 'hearthfw';
import { DiskFullError } from './errors.ts';
import { Log } from './log.ts';
import { closeWith } from './own.ts';
import type { Entry } from './record.ts';

const COMMIT = Symbol('commit');

/**
 * Writes the entries of its share of the lists into one file. Entries that come while one fsync runs lie in the mailbox, and
 * share the next: one fsync takes as long for a hundred entries as for one.
 */
export class Shard extends Server {
  #log: Log | undefined;
  #batch: { entry: Entry; done: PromiseWithResolvers<void> }[] = [];

  override async init(path: string): Promise<void> {
    const log = await Log.open(path, (lines) =>
      logger.warning('lines of the log were not whole', { path, lines }),
    );
    this.#log = log;
    closeWith(this.self, log);
  }

  /** Is answered when the entry is on the disk. @throws DiskFullError */
  append(entry: Entry) {
    const done = Promise.withResolvers<void>();
    this.#batch.push({ entry, done });
    // It queues up behind the entries that are in the mailbox, so that they are in the batch, too.
    const me: ServerRef<Shard> = this.self;
    if (this.#batch.length === 1) me.send(COMMIT);
    return this.later(done.promise);
  }

  /** What was appended before is in it. */
  async read(list: string) {
    await this.#commit();
    return this.later(this.log.read(list));
  }

  override info(message: unknown): unknown {
    return message === COMMIT ? this.#commit() : undefined;
  }

  override terminate(): Promise<void> {
    return this.log.close();
  }

  private get log(): Log {
    if (this.#log) return this.#log;
    throw new Error('the shard has not started');
  }

  async #commit(): Promise<void> {
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    try {
      const since = performance.now();
      await this.log.append(batch.map(({ entry }) => entry));
      telemetry.execute('todo.commit', { durationMs: performance.now() - since, entries: batch.length }, {});
    } catch (error) {
      // After any other error nobody knows what is on the disk. The shard that takes this one's place looks.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      for (const { done } of batch) done.reject(new DiskFullError('the disk is full', { cause: error }));
      return;
    }
    for (const { done } of batch) done.resolve();
  }
}
