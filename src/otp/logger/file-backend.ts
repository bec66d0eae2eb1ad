import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Backend } from './outlet.ts';
import { reasonOf } from './plain.ts';

export interface FileBackendOptions {
  path: string;
  /** A file is put aside before it grows beyond; the default is 1 MiB. */
  maxBytes?: number;
  /** How many there are: `path`, `path.1` (the newest of the old ones) … ; the default is 5. */
  files?: number;
}

/** Lines of one turn of the event loop are written at once, unless there are more than so many characters. */
const MAX_BUFFERED = 64 * 1024;

/**
 * Writes to files that are put aside when they are full: never more than `files` of `maxBytes`. Lines of `error` and
 * `critical` are in the file when the call returns, the others when the event loop has turned. It never throws: what a full
 * disk does not take is counted, and told in the file when it takes lines again.
 */
export function fileBackend(options: FileBackendOptions): Backend {
  const { path, maxBytes = 1024 * 1024, files = 5 } = options;
  let fd: number | undefined;
  let size = 0;
  let torn = false;
  let lines: string[] = [];
  let buffered = 0;
  let scheduled = false;
  let lost = 0;
  let lostBy = '';

  function open(): number {
    mkdirSync(dirname(path), { recursive: true });
    const opened = openSync(path, 'a+');
    const stat = fstatSync(opened);
    size = stat.size;
    // A power cut, or a full disk, in the middle of a line: the next one must not be glued to it.
    torn = stat.isFile() && size > 0 && lastByte(opened, size) !== 0x0a;
    return opened;
  }

  function rotate(): void {
    close(true);
    // The oldest first: whenever the power goes, no file has taken the place of one that is still wanted.
    rmSync(nth(files - 1), { force: true });
    for (let n = files - 2; n >= 0; n--) renameIfThere(nth(n), nth(n + 1));
    syncFolder(dirname(path));
    fd = open();
  }

  function nth(n: number): string {
    return n <= 0 ? path : `${path}.${n}`;
  }

  function append(text: string): void {
    fd ??= open();
    const bytes = Buffer.from(text);
    if (size > 0 && size + bytes.length > maxBytes) rotate();
    const whole = torn ? Buffer.concat([Buffer.from('\n'), bytes]) : bytes;
    for (let done = 0; done < whole.length; ) {
      const written = writeSync(fd, whole, done);
      done += written;
      size += written;
      torn = whole[done - 1] !== 0x0a;
    }
  }

  function flush(): void {
    scheduled = false;
    if (lines.length === 0) return;
    const waiting = lines;
    lines = [];
    buffered = 0;
    if (lost > 0) waiting.unshift(`warning: ${lost} log records were lost here: ${lostBy}\n`);
    let at = 0;
    try {
      while (at < waiting.length) {
        const end = batchEnd(waiting, at, maxBytes - size);
        append(waiting.slice(at, end).join(''));
        if (lost > 0 && at === 0) lost = 0;
        at = end;
      }
    } catch (error) {
      // The note of what was lost is none of the lines that are lost.
      lost += waiting.length - at - (lost > 0 && at === 0 ? 1 : 0);
      lostBy = reasonOf(error);
      // The folder may come back as another one, the file may have been replaced: begin anew.
      abandon();
    }
  }

  function abandon(): void {
    try {
      close(false);
    } catch {
      // The disk refuses that too; the descriptor is gone in any case.
    }
  }

  function close(sync: boolean): void {
    const closing = fd;
    fd = undefined;
    if (closing === undefined) return;
    try {
      if (sync) fsyncSync(closing);
    } finally {
      closeSync(closing);
    }
  }

  return {
    write(line, { level }) {
      lines.push(line);
      buffered += line.length;
      if (buffered >= MAX_BUFFERED || level === 'error' || level === 'critical') flush();
      else if (!scheduled) {
        scheduled = true;
        setImmediate(flush);
      }
    },
    flush,
    close() {
      flush();
      close(true);
    },
  };
}

/** How many lines go in one write: as many as fit into what is left of the file, and at least one. */
function batchEnd(lines: readonly string[], from: number, room: number): number {
  let bytes = 0;
  for (let at = from; at < lines.length; at++) {
    bytes += Buffer.byteLength(lines[at] ?? '');
    if (bytes > room && at > from) return at;
  }
  return lines.length;
}

function lastByte(fd: number, size: number): number | undefined {
  const byte = Buffer.alloc(1);
  return readSync(fd, byte, 0, 1, size - 1) === 1 ? byte[0] : undefined;
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
