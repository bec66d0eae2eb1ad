import type { FirmwareFile } from './open.ts';

/** Chunks held at once, of at most 1 MiB each: the tables of a file system are close together. */
const CHUNKS_HELD = 8;

/**
 * Reads a payload in place, at any offset: fewer bytes than asked for where it ends. Every byte comes from a chunk whose
 * hash was checked.
 */
export function payloadReader(
  fw: FirmwareFile,
  name: string,
): (offset: number, length: number) => Promise<Uint8Array> {
  const chunks = fw.chunks(name);
  const { size } = fw.payload(name);
  const held = new Map<number, Uint8Array>();

  const load = async (index: number): Promise<Uint8Array> => {
    const bytes = held.get(index) ?? (await fw.readChunk(name, index)).bytes;
    // The order of a Map is that of insertion: the one used longest ago comes first.
    held.delete(index);
    held.set(index, bytes);
    const [oldest] = held.keys();
    if (held.size > CHUNKS_HELD && oldest !== undefined) held.delete(oldest);
    return bytes;
  };

  const indexAt = (offset: number): number => {
    let [low, high] = [0, chunks.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((chunks[middle]?.offset ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  };

  return async (offset, length) => {
    const end = Math.min(offset + length, size);
    const pieces: Uint8Array[] = [];
    for (let at = offset, index = indexAt(offset); at < end; index++) {
      const from = at - (chunks[index]?.offset ?? 0);
      const piece = (await load(index)).subarray(from, from + end - at);
      pieces.push(piece);
      at += piece.length;
    }
    const [only] = pieces;
    return pieces.length === 1 && only ? only : Buffer.concat(pieces);
  };
}
