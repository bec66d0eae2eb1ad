import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';

/** Small: nothing else of hearthd has its turn meanwhile. */
const SLICE = 64 * 1024;

/**
 * By slices, between which links and timers have their turn. On this thread: for another one Node copies the bytes and wipes the copy,
 * which takes as long as the hash.
 */
export async function sha256(bytes: Uint8Array): Promise<Buffer> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes.length; at += SLICE) {
    if (at > 0) await setImmediate();
    hash.update(bytes.subarray(at, at + SLICE));
  }
  return hash.digest();
}
