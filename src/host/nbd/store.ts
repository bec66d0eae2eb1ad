/** What an NBD export reads and writes: a disk with a cache. Places have been checked; nothing waits. */
export interface Store {
  /** Bytes. */
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
  /** @param durable it outlives a power cut at once (FUA); what was written before it may still be lost */
  write(offset: number, bytes: Uint8Array, durable: boolean): void;
  /** Zeros, of a trim too. */
  clear(offset: number, length: number, durable: boolean): void;
  /** All that was written so far outlives a power cut. */
  flush(): void;
}
