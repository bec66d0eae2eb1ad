import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readLines } from './lines.ts';
import { decodeRecord, type Entry, encodeRecord } from './record.ts';

/**
 * The logs that are open, and when they are closed. A writer that is killed may have a write under way, which nothing can
 * interrupt: whoever takes its place must not open the log before that is over.
 */
const inUse = new Map<string, Promise<void>>();

/**
 * A file of entries to which is only ever appended. A line that a power cut has torn is found by its checksum. In memory is
 * only where the lines of each list are.
 */
export class Log {
  readonly #path: string;
  readonly #file: FileHandle;
  /** Of each list, where its lines are: start, end, start, end … in bytes. Neighbours are one piece. */
  readonly #pieces = new Map<string, number[]>();
  #end = 0;
  readonly #release: () => void;
  #closed: Promise<void> | undefined;

  private constructor(path: string, file: FileHandle, release: () => void) {
    this.#path = path;
    this.#file = file;
    this.#release = release;
  }

  /**
   * Reads a log, or makes it, and cuts off an end that was not written whole. Waits until nobody else has it open.
   * @param onDamage told how many lines could not be read
   */
  static async open(path: string, onDamage: (lines: number) => void): Promise<Log> {
    while (inUse.has(path)) await inUse.get(path);
    const { promise, resolve } = Promise.withResolvers<void>();
    inUse.set(path, promise);
    const release = (): void => {
      inUse.delete(path);
      resolve();
    };
    let file: FileHandle | undefined;
    try {
      file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
      // A new file is there after a cut only when its folder is on the disk too.
      await syncFolder(dirname(path));
      const log = new Log(path, file, release);
      await log.#mend(onDamage);
      return log;
    } catch (error) {
      await file?.close();
      release();
      throw error;
    }
  }

  /** Reads a log that is somebody else's to write, and changes nothing. Undefined when there is none. */
  static async openFinished(path: string, onDamage: (lines: number) => void): Promise<Log | undefined> {
    const file = await open(path, constants.O_RDONLY).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
    if (!file) return undefined;
    const log = new Log(path, file, () => undefined);
    const { damaged } = await log.#scan();
    if (damaged > 0) onDamage(damaged);
    return log;
  }

  /** Resolves when all are on the disk (fsync), and rejects when none is. One at a time. */
  async append(entries: readonly Entry[]): Promise<void> {
    const records = entries.map((entry) => Buffer.from(encodeRecord(entry)));
    const bytes = Buffer.concat(records);
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, this.#end + done);
        done += bytesWritten;
      }
      await this.#file.datasync();
    } catch (error) {
      // A full disk takes a part of a line. Without this the next entry would follow it, on the same line.
      await this.#file.truncate(this.#end);
      throw error;
    }
    for (const [index, { list }] of entries.entries())
      this.#add(list, this.#end, this.#end + (records[index]?.length ?? 0));
  }

  /** The entries of a list, in the order of their coming: those that were there when it was called. */
  async read(list: string): Promise<Entry[]> {
    const pieces = this.#pieces.get(list)?.slice() ?? [];
    const entries: Entry[] = [];
    for (let at = 0; at < pieces.length; at += 2) {
      for await (const { text } of readLines(this.#file, pieces[at], pieces[at + 1])) {
        const entry = text === undefined ? undefined : decodeRecord(text);
        // It was whole when the log was opened: the disk has lost it since.
        if (!entry) throw new Error(`${this.#path} is damaged at byte ${pieces[at]} or after it`);
        entries.push(entry);
      }
    }
    return entries;
  }

  /** Waits for what is being written. A second call waits for the first. */
  close(): Promise<void> {
    this.#closed ??= this.#file.close().finally(this.#release);
    return this.#closed;
  }

  async #mend(onDamage: (lines: number) => void): Promise<void> {
    const { damaged, size } = await this.#scan();
    if (size > this.#end) {
      await this.#file.truncate(this.#end);
      await this.#file.sync();
    }
    if (damaged > 0) onDamage(damaged);
  }

  async #scan(): Promise<{ damaged: number; size: number }> {
    let damaged = 0;
    let size = 0;
    for await (const { start, end, text } of readLines(this.#file)) {
      const entry = text === undefined ? undefined : decodeRecord(text);
      // A bad line that good ones follow stays where it is; only a bad end is cut off.
      if (entry) this.#add(entry.list, start, end);
      else damaged++;
      size = end;
    }
    return { damaged, size };
  }

  #add(list: string, start: number, end: number): void {
    const pieces = this.#pieces.get(list);
    if (!pieces) this.#pieces.set(list, [start, end]);
    else if (pieces.at(-1) === start) pieces[pieces.length - 1] = end;
    else pieces.push(start, end);
    this.#end = end;
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
