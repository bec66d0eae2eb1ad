import { Gate } from './gate.ts';
import { checkFrame } from './zstd.ts';

/** compress() calls under way at once: enough to keep node:zlib's threads busy, little enough to bound memory. */
const CALLS_AT_ONCE = 8;

/** What a block is stored as. */
export interface StoredBlock {
  bytes: Uint8Array;
  raw: boolean;
}

/** Compresses blocks, a few at a time; what does not shrink is stored raw. */
export class BlockCompressor {
  readonly #gate = new Gate(CALLS_AT_ONCE);
  readonly #compress: (block: Uint8Array) => Promise<Uint8Array>;
  readonly #windowLimit: number;

  constructor(compress: (block: Uint8Array) => Promise<Uint8Array>, blockSize: number) {
    this.#compress = compress;
    this.#windowLimit = blockSize;
  }

  store(block: Uint8Array): Promise<StoredBlock> {
    return this.#gate.run(1, async () => {
      const frame = await this.#compress(block);
      if (frame.length >= block.length) return { bytes: block, raw: true };
      checkFrame(frame, block.length, this.#windowLimit);
      return { bytes: frame, raw: false };
    });
  }
}
