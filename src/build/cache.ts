import { createReadStream } from 'node:fs';
import { open, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { diskError, writeWhole } from './whole-file.ts';

/** Kinds of values, each a folder: only these are ever cleaned up. */
export const KINDS = ['downloads', 'systems', 'files', 'blocks', 'chunks', 'firmware'] as const;
export type Kind = (typeof KINDS)[number];

/**
 * An entry's modification time says when it was last used, to this precision: what is read at every build is not
 * written to at every build.
 */
export const USE_PRECISION_MS = 3_600_000;

/**
 * A content cache on disk. Keys are hashes of everything that a value depends on, so an entry never goes stale;
 * it is either there or not. Written to a temporary name and renamed, with a checksum at its end: a process
 * killed at any point, or a machine that loses power, leaves an entry that is whole or one that is ignored.
 */
export class Cache {
  readonly dir: string;
  readonly #readOnly: boolean;
  #hits = 0;
  #misses = 0;
  #written = 0;

  /** `readOnly`: looks, and leaves no trace of it; damaged entries stay. */
  constructor(dir: string, { readOnly = false } = {}) {
    this.dir = dir;
    this.#readOnly = readOnly;
  }

  /** How many values were found and not found since this object was made. */
  get counts(): { hits: number; misses: number } {
    return { hits: this.#hits, misses: this.#misses };
  }

  /** Whether anything was put into it since this object was made. */
  get written(): boolean {
    return this.#written > 0;
  }

  /** Where an entry is, or would be. */
  path(kind: Kind, key: string): string {
    return join(this.dir, kind, key.slice(0, 2), key);
  }

  async get(kind: Kind, key: string): Promise<Buffer | undefined> {
    const path = this.path(kind, key);
    const stored = await this.#read(path);
    const value = stored && unseal(stored);
    if (stored && !value && !this.#readOnly) {
      await rm(path, { force: true }).catch((error: unknown) => {
        throw diskError(error, path);
      });
    }
    if (value) this.#hits++;
    else this.#misses++;
    return value;
  }

  /** Whether an entry for a value of `size` bytes is there. Not read: a torn entry is noticed, a flipped bit is not. */
  async has(kind: Kind, key: string, size: number): Promise<boolean> {
    const path = this.path(kind, key);
    const found = await stat(path).catch(() => undefined);
    if (found?.size !== size + SEAL_BYTES) return false;
    await this.#markUsed(path, found.mtimeMs);
    return true;
  }

  /** Says that an entry is used, by somebody who reads it by its path. */
  async used(kind: Kind, key: string): Promise<void> {
    const path = this.path(kind, key);
    const found = await stat(path).catch(() => undefined);
    if (found) await this.#markUsed(path, found.mtimeMs);
  }

  async put(kind: Kind, key: string, value: Uint8Array): Promise<void> {
    await writeWhole(this.path(kind, key), [value, seal(value)]);
    this.#written++;
  }

  /** Keeps a file as it is, for who reads it by its path: what has checksums of its own. */
  async putFile(kind: Kind, key: string, file: string): Promise<void> {
    await writeWhole(this.path(kind, key), createReadStream(file));
    this.#written++;
  }

  /** The cached value, or what `make` gives, which is then kept. */
  async getOrMake(kind: Kind, key: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const found = await this.get(kind, key);
    if (found) return found;
    const made = await make();
    await this.put(kind, key, made);
    return made;
  }

  async #read(path: string): Promise<Buffer | undefined> {
    try {
      await using file = await open(path);
      const { mtimeMs } = await file.stat();
      const bytes = await file.readFile();
      await this.#markUsed(path, mtimeMs);
      return bytes;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #markUsed(path: string, mtimeMs: number): Promise<void> {
    const now = Date.now();
    // A time in the future is a clock that was wrong once.
    if (this.#readOnly || Math.abs(now - mtimeMs) <= USE_PRECISION_MS) return;
    // A cache on a read-only disk, or another user's, serves all the same; an entry may be pruned just now.
    await utimes(path, now / 1000, now / 1000).catch(() => {});
  }
}

const SEAL_BYTES = 12;
const SEAL_MAGIC = 0x4c414553; // 'SEAL'

/** The value's length and CRC-32 behind it: a torn or short file is noticed. Against accidents, not attackers. */
function seal(value: Uint8Array): Uint8Array {
  const out = Buffer.alloc(SEAL_BYTES);
  out.writeUInt32LE(SEAL_MAGIC, 0);
  out.writeUInt32LE(value.length >>> 0, 4);
  out.writeUInt32LE(crc32(value), 8);
  return out;
}

function unseal(stored: Buffer): Buffer | undefined {
  if (stored.length < SEAL_BYTES) return undefined;
  const value = stored.subarray(0, stored.length - SEAL_BYTES);
  return Buffer.compare(seal(value), stored.subarray(stored.length - SEAL_BYTES)) === 0 ? value : undefined;
}
