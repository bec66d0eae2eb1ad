import { constants, readSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ReadAt } from '../formats/bytes.ts';
import type { Disk } from './disk.ts';

/** Neither Node's types nor ECMAScript's have it as a value. */
declare const WebAssembly: { Memory: new (of: { initial: number }) => { buffer: ArrayBuffer } };

/** A WebAssembly page; memory of WebAssembly is what Node has that begins at a page of the machine's. */
const WASM_PAGE = 64 * 1024;
const WINDOW = 16 * WASM_PAGE;
/** Every file system that takes O_DIRECT takes it in units of this; a block device says its own. */
const FILE_BLOCK = 4096;
const SYS_SECTOR = 512;

/**
 * A disk of the machine, or an image in a file. Past the page cache (O_DIRECT): what is read back is what the medium holds, and
 * an update does not push the app's files out of memory. One operation at a time, through one buffer.
 */
export class DiskFile implements Disk {
  readonly size: number;
  /** Whether the page cache is really passed by: a few file systems refuse it. */
  readonly direct: boolean;
  readonly #file: FileHandle;
  readonly #block: number;
  readonly #buffer = aligned(WINDOW);
  /** Of `readAt`, which comes while an operation waits for the other. */
  readonly #small = aligned(WASM_PAGE);
  #last: Promise<unknown> = Promise.resolve();

  private constructor(file: FileHandle, size: number, block: number, direct: boolean) {
    this.#file = file;
    this.size = size;
    this.#block = block;
    this.direct = direct;
  }

  /** @throws the system's error */
  static async open(path: string, sys = '/sys'): Promise<DiskFile> {
    const { size, block } = await shapeOf(path, sys);
    const whole = size % block === 0;
    const file = whole ? await openDirect(path) : undefined;
    return new DiskFile(file ?? (await open(path, constants.O_RDWR)), size, block, file !== undefined);
  }

  readonly readAt: ReadAt = (offset, length) => {
    const out = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
    for (let at = 0; at < out.length; ) {
      const { start, end, within, take } = this.#window(offset + at, out.length - at, this.#small.length);
      for (let have = 0; have < end - start; ) {
        const count = readSync(this.#file.fd, this.#small, have, end - start - have, start + have);
        if (count === 0) throw ended(start + have);
        have += count;
      }
      out.set(this.#small.subarray(within, within + take), at);
      at += take;
    }
    return out;
  };

  read(offset: number, length: number): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      const out = new Uint8Array(Math.max(0, Math.min(length, this.size - offset)));
      for (let at = 0; at < out.length; ) {
        const { start, end, within, take } = this.#window(offset + at, out.length - at, WINDOW);
        await this.#fill(0, start, end);
        out.set(this.#buffer.subarray(within, within + take), at);
        at += take;
      }
      return out;
    });
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      if (offset < 0 || offset + bytes.length > this.size)
        throw new RangeError(`bytes ${offset} to ${offset + bytes.length} are not on the disk`);
      for (let at = 0; at < bytes.length; ) {
        const { start, end, within, take } = this.#window(offset + at, bytes.length - at, WINDOW);
        // What else is in the first block and in the last one stays as it is.
        if (within > 0) await this.#fill(0, start, start + this.#block);
        const last = end - this.#block;
        if (start + within + take < end && (last > start || within === 0))
          await this.#fill(last - start, last, end);
        this.#buffer.set(bytes.subarray(at, at + take), within);
        for (let done = 0; done < end - start; ) {
          const rest = end - start - done;
          done += (await this.#file.write(this.#buffer, done, rest, start + done)).bytesWritten;
        }
        at += take;
      }
    });
  }

  flush(): Promise<void> {
    return this.#inTurn(() => this.#file.datasync());
  }

  close(): Promise<void> {
    return this.#inTurn(() => this.#file.close());
  }

  /** The blocks that hold the next bytes, as many as fit a buffer. */
  #window(offset: number, length: number, room: number) {
    const block = this.direct ? this.#block : 1;
    const start = Math.floor(offset / block) * block;
    const within = offset - start;
    const take = Math.min(length, room - within);
    return { start, end: Math.ceil((offset + take) / block) * block, within, take };
  }

  async #fill(into: number, start: number, end: number): Promise<void> {
    for (let have = 0; have < end - start; ) {
      const place = start + have;
      const { bytesRead } = await this.#file.read(this.#buffer, into + have, end - place, place);
      if (bytesRead === 0) throw ended(place);
      have += bytesRead;
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

function aligned(bytes: number): Uint8Array {
  return new Uint8Array(new WebAssembly.Memory({ initial: bytes / WASM_PAGE }).buffer);
}

async function openDirect(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDWR | constants.O_DIRECT);
  } catch (error) {
    // tmpfs of older kernels, and a few others.
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') return undefined;
    throw error;
  }
}

async function shapeOf(path: string, sys: string): Promise<{ size: number; block: number }> {
  const file = await open(path, constants.O_RDONLY);
  try {
    const stat = await file.stat();
    if (!stat.isBlockDevice()) return { size: stat.size, block: FILE_BLOCK };
    const base = `${sys}/class/block/${basename(path)}`;
    const number = async (name: string): Promise<number> =>
      Number(await readFile(`${base}/${name}`, 'latin1'));
    return {
      size: (await number('size')) * SYS_SECTOR,
      block: await number('queue/logical_block_size'),
    };
  } finally {
    await file.close();
  }
}

function ended(offset: number): Error {
  return new Error(`the disk ends at byte ${offset}, before its size`);
}
