/** Neither Node's types nor ECMAScript's have it as a value. */
declare const WebAssembly: { Memory: new (of: { initial: number }) => { buffer: ArrayBuffer } };

/** A WebAssembly page; memory of WebAssembly is what Node has that begins at a page of the machine's. */
export const ALIGNED_UNIT = 64 * 1024;

/** Memory that O_DIRECT takes, of a multiple of `ALIGNED_UNIT` bytes. */
export function aligned(bytes: number): Uint8Array {
  return new Uint8Array(new WebAssembly.Memory({ initial: Math.ceil(bytes / ALIGNED_UNIT) }).buffer);
}
