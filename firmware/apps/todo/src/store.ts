import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeRecord, type Entry, encodeRecord } from './record.ts';

const FILE = 'entries.log';

export interface Store {
  /** Resolves when the entry is on the disk, and rejects when it is not: nothing is half added. */
  add(entry: Entry): Promise<void>;
  titles(list: string, date: string): readonly string[];
  close(): Promise<void>;
}

/**
 * To-do lists in one file to which is only ever appended. An answer means that the entry is on the disk (fsync), so
 * kill -9 and a power cut lose nothing that was answered; a line that a cut has torn is found by its checksum and
 * cut off at the next start. Entries that come while one fsync runs share the next.
 * @param onDamage told about lines that could not be read
 */
export async function openStore(folder: string, onDamage: (lines: number) => void): Promise<Store> {
  const file = await open(join(folder, FILE), constants.O_RDWR | constants.O_CREAT, 0o600);
  // A new file is there after a cut only when its folder is on the disk too.
  await syncFolder(folder);
  const lists = new Map<string, string[]>();
  const key = (list: string, date: string): string => `${date} ${list}`;
  const remember = ({ list, date, title }: Entry): void => {
    const titles = lists.get(key(list, date));
    if (titles) titles.push(title);
    else lists.set(key(list, date), [title]);
  };

  let end = await load(file, remember, onDamage);
  let waiting: { entry: Entry; done: PromiseWithResolvers<void> }[] = [];
  let writing: Promise<void> | undefined;

  async function writeWaiting(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        const bytes = Buffer.from(batch.map(({ entry }) => encodeRecord(entry)).join(''));
        await append(file, bytes, end);
        end += bytes.length;
        for (const { entry, done } of batch) {
          remember(entry);
          done.resolve();
        }
      } catch (error) {
        for (const { done } of batch) done.reject(error);
      }
    }
    writing = undefined;
  }

  return {
    add(entry) {
      const done = Promise.withResolvers<void>();
      waiting.push({ entry, done });
      writing ??= writeWaiting();
      return done.promise;
    },
    titles: (list, date) => lists.get(key(list, date)) ?? [],
    async close() {
      await writing;
      await file.close();
    },
  };
}

/** Reads the log and cuts off what was not written whole. Returns where the next record goes, in bytes. */
async function load(
  file: FileHandle,
  remember: (entry: Entry) => void,
  onDamage: (lines: number) => void,
): Promise<number> {
  const bytes = await file.readFile();
  let end = 0;
  let damaged = 0;
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(0x0a, at);
    if (newline < 0) break;
    const entry = decodeRecord(bytes.toString('utf8', at, newline));
    at = newline + 1;
    if (entry) remember(entry);
    else damaged++;
    // A bad line that good ones follow stays where it is; only a bad end is cut off.
    if (entry) end = at;
  }
  if (end < bytes.length) {
    await file.truncate(end);
    await file.sync();
    damaged = Math.max(1, damaged);
  }
  if (damaged > 0) onDamage(damaged);
  return end;
}

async function append(file: FileHandle, bytes: Uint8Array, end: number): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await file.write(bytes, done, bytes.length - done, end + done);
      done += bytesWritten;
    }
    await file.datasync();
  } catch (error) {
    // A full disk takes a part of a line. Without this the next entry would follow it, on the same line.
    await file.truncate(end).catch(() => {});
    throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
