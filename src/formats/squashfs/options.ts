/** What the writer is told and what it gives back. */

/** Keeps the compressed blocks of whole files between builds. Keys hold letters, digits, '.', '_' and '-' only. */
export interface BlockCache {
  get(key: string): Promise<Uint8Array | undefined>;
  put(key: string, value: Uint8Array): Promise<void>;
}

export interface SquashfsOptions {
  /** Bytes of content in one data block: a power of two, 131072 to 1048576. Default 262144. */
  blockSize?: number;
  /** Seconds since 1970: the one time stamp of the superblock and of every inode. */
  mtime: number;
  /**
   * Makes one zstd frame of one block (at most `blockSize` bytes); up to eight calls run at once. Use
   * `zstdCompressor`: a frame must not need a window larger than its block, or no kernel mounts the image.
   */
  compress(block: Uint8Array): Promise<Uint8Array>;
  /** zstd's level, 1 to 22: written into the image, and part of the cache's keys. */
  compressorLevel: number;
  /** zstd's version (`process.versions.zstd`), part of the cache's keys: another version makes other bytes. */
  compressorVersion?: string;
  cache?: BlockCache;
  /**
   * Files or folders that change from build to build, e.g. `/srv/app`. Their data goes behind all other data and
   * shares no block with it, so that editing them leaves everything before in place. Absent ones do no harm.
   */
  last?: readonly string[];
  /**
   * Files or folders that are stored as they are, behind those of `last`: what a change of them leaves alone can be found again
   * in the image, which it cannot in compressed blocks.
   */
  plain?: readonly string[];
  /** Told as data goes into the image, in bytes of content: each of `total` once, whether compressed or from the cache. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** One file's share of the image. */
export interface StoredFile {
  path: string;
  /** Bytes of content. */
  size: number;
  /** Bytes in the image; for a file that shares its block with others, its share by size. */
  stored: number;
}

export interface Squashfs {
  /** The image, in pieces to be written one after the other. */
  image: Uint8Array[];
  /** Bytes, a multiple of 4096. */
  size: number;
  /** Where, in bytes, a data block, a fragment block or a table starts; ascending. Chunks of an update may be cut here. */
  boundaries: number[];
  /** The ten files that take most of the image, largest first. */
  largest: StoredFile[];
}
