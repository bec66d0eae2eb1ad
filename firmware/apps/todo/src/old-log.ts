import { logger, Server } from 'hearthfw';
import { Log } from './log.ts';
import { closeWith } from './own.ts';
import type { Entry } from './record.ts';

/**
 * The entries that version 1 of this app stored, all in one file. They stay where they are: an update that is taken back
 * finds its file as it left it, and a power cut finds nothing half moved.
 */
export class OldLog extends Server {
  #log: Log | undefined;

  override async init(path: string): Promise<void> {
    this.#log = await Log.openFinished(path, (lines) =>
      logger.warning('lines of the old log were not whole', { path, lines }),
    );
    if (this.#log) closeWith(this.self, this.#log);
  }

  read(list: string) {
    return this.later<Entry[]>(this.#log?.read(list) ?? Promise.resolve([]));
  }

  override terminate(): Promise<void> | undefined {
    return this.#log?.close();
  }
}
