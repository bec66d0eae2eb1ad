import { subtle } from 'node:crypto';

/** On another thread: a Raspberry Pi 3 takes 16 ms for a MiB, in which its links and its app would not be heard. */
export async function sha256(bytes: Uint8Array): Promise<Buffer> {
  // Node's types ask for memory that is not shared; whoever hashes what another thread writes gets what they deserve.
  return Buffer.from(await subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
}
