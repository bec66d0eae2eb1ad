import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { whenKilled } from '../../bin/when-killed.js';
import { FwError } from '../errors.ts';

/**
 * Writes a file so that its name never stands for part of it: a temporary name beside it, then rename. The folder
 * is made when it is missing. An error, or SIGINT, SIGTERM or SIGHUP, leaves nothing behind; after SIGKILL the
 * temporary file stays, under a name that nothing reads.
 * @returns what `write` returned
 * @throws FwError `not-a-file`, `disk-full`, `file-too-large`, `not-writable`, each naming `path`; what `write` throws
 *   itself
 */
export async function writeWholeFile<T>(path: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
  await refuseOthers(path);
  const place = await throughLink(path);
  // Two builds of one project at once, even in two containers with equal process ids, must not share a name.
  const temporary = `${place}.part-${process.pid}-${randomBytes(4).toString('hex')}`;
  const opening = create(temporary);
  const forget = whenKilled(async () => {
    // It would appear after it was removed.
    await opening.catch(() => {});
    rmSync(temporary, { force: true });
  });
  try {
    const file = await opening;
    let result: T;
    try {
      result = await write(file);
    } finally {
      await file.close();
    }
    await rename(temporary, place);
    return result;
  } catch (error) {
    // What went wrong first is what the reader needs, also where removing fails for the same reason.
    await rm(temporary, { force: true }).catch(() => {});
    throw diskError(error, path);
  } finally {
    forget();
  }
}

async function create(path: string): Promise<FileHandle> {
  for (let attempt = 1; ; attempt++) {
    await mkdir(dirname(path), { recursive: true });
    try {
      return await open(path, 'wx');
    } catch (error) {
      // `fw clean` of another process has just taken the empty folder away.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === 10) throw error;
    }
  }
}

/** A folder cannot be replaced; and a rename would put a file in the place of /dev/sdb or /dev/null, for everybody, and root may do that. */
async function refuseOthers(path: string): Promise<void> {
  // What a link leads to, too: /dev/disk/by-id is full of links to disks.
  const there = await stat(path).catch(() => undefined);
  if (!there || there.isFile()) return;
  if (there.isDirectory()) {
    throw new FwError('not-a-file', `${path} is a folder`, {
      where: path,
      expected: 'the name of a file, new or old',
      remedy: 'Name a file in that folder.',
    });
  }
  throw new FwError('not-a-file', `${path} is a device, a pipe or a socket; it was left alone`, {
    where: path,
    expected: 'the name of a file, new or old',
    remedy:
      'Write to a file. To put an image on a card, copy it there: dd if=IMAGE of=DEVICE bs=4M conv=fsync',
  });
}

/** A link to a file stays, as with `>`: /dev/stdout is one, and root could replace it for everybody. One to nothing gives way. */
async function throughLink(path: string): Promise<string> {
  const isLink = await lstat(path).then(
    (found) => found.isSymbolicLink(),
    () => false,
  );
  return isLink ? realpath(path).catch(() => path) : path;
}

/** The same for bytes that are at hand, or come one by one. */
export function writeWhole(
  path: string,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<void> {
  return writeWholeFile(path, async (file) => {
    for await (const piece of pieces) await writeAll(file, piece);
  });
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

/** What the operating system says when a file cannot be written, as an error that names the file and a remedy. */
export function diskError(error: unknown, path: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (error instanceof FwError || code === undefined || syscall === undefined) return error;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new FwError('disk-full', `the disk is full; ${path} was not written`, {
      where: path,
      remedy:
        'Make room, or choose another disk: --out for what is built, HEARTH_CACHE for the cache. Then run the command again.',
      cause: error,
    });
  }
  if (code === 'EFBIG') {
    return new FwError('file-too-large', `${path} was not written: ${message}`, {
      where: path,
      expected: 'a file system, and a limit of the process (ulimit -f), that allow a file of that size',
      remedy: 'Choose another disk (FAT32 ends at 4 GiB a file), or raise the limit.',
      cause: error,
    });
  }
  return new FwError('not-writable', `${path} cannot be written: ${message}`, {
    where: path,
    remedy: 'Choose a folder that you may write to: --out for what is built, HEARTH_CACHE for the cache.',
    cause: error,
  });
}
