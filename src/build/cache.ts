import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { writeWhole } from './whole-file.ts';

/**
 * A content cache on disk. Keys are hashes of everything that a value depends on, so an entry never goes stale;
 * it is either there or not. Written to a temporary name and renamed, with a checksum at its end: a process
 * killed at any point, or a machine that loses power, leaves an entry that is whole or one that is ignored.
 */
export class Cache {
  readonly dir: string;
  #hits = 0;
  #misses = 0;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** How many values were found and not found since this object was made. */
  get counts(): { hits: number; misses: number } {
    return { hits: this.#hits, misses: this.#misses };
  }

  /** Where an entry is, or would be. `kind` is a folder: one kind of value. */
  path(kind: string, key: string): string {
    return join(this.dir, kind, key.slice(0, 2), key);
  }

  async get(kind: string, key: string): Promise<Buffer | undefined> {
    const path = this.path(kind, key);
    const stored = await readIfPresent(path);
    const value = stored && unseal(stored);
    if (stored && !value) await rm(path, { force: true });
    if (value) this.#hits++;
    else this.#misses++;
    return value;
  }

  /** Whether an entry for a value of `size` bytes is there. Not read: a torn entry is noticed, a flipped bit is not. */
  async has(kind: string, key: string, size: number): Promise<boolean> {
    const found = await stat(this.path(kind, key)).catch(() => undefined);
    return found?.size === size + SEAL_BYTES;
  }

  async put(kind: string, key: string, value: Uint8Array): Promise<void> {
    await writeWhole(this.path(kind, key), [value, seal(value)]);
  }

  /** The cached value, or what `make` gives, which is then kept. */
  async getOrMake(kind: string, key: string, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const found = await this.get(kind, key);
    if (found) return found;
    const made = await make();
    await this.put(kind, key, made);
    return made;
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

async function readIfPresent(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
