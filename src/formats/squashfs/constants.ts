/**
 * The numbers of squashfs 4.0. Source: Linux, fs/squashfs/squashfs_fs.h, and
 * https://dr-emann.github.io/squashfs/squashfs.html.
 */
export const MAGIC = 0x73717368;
export const SUPERBLOCK_SIZE = 96;
export const COMPRESSOR_ZSTD = 6;
/** Superblock flags: duplicates were looked for, there are no xattrs, compressor options follow. */
export const FLAGS = 0x0040 | 0x0200 | 0x0400;
/** "There is no such table / fragment / xattr". */
export const NONE_32 = 0xffffffff;
export const NONE_64 = 0xffffffffffffffffn;

/** Bytes of metadata in one metadata block, before compression. */
export const METADATA_BLOCK = 8192;
/** In the 16-bit size before a metadata block: it is stored raw. */
export const METADATA_RAW = 0x8000;
/** In the 32-bit size of a data or fragment block: it is stored raw. */
export const DATA_RAW = 1 << 24;

export const INODE = { dir: 1, file: 2, symlink: 3, block: 4, char: 5, longDir: 8, longFile: 9 } as const;

export const DIR_HEADER_SIZE = 12;
export const DIR_ENTRY_SIZE = 8;
/** Entries under one directory header. */
export const DIR_HEADER_ENTRIES = 256;
/** A directory's size in its inode counts "." and ".." as three bytes that are not in the listing. */
export const DIR_SIZE_EXTRA = 3;

export const MAX_U16 = 0xffff;
export const MAX_U32 = 0xffffffff;

/** Hard limits of what is written. Bytes unless said otherwise. */
export const LIMITS = {
  /** The kernel refuses blocks smaller than its pages (up to 64 KiB) or larger than 1 MiB. */
  minBlockSize: 131072,
  maxBlockSize: 1048576,
  /** SQUASHFS_NAME_LEN. */
  name: 256,
  /** PATH_MAX without its NUL: no program could open a longer path; ends trees that contain themselves, too. */
  path: 4095,
  /** The format has 65,535, but since 6.11 Linux refuses targets longer than a page, and PATH_MAX is the VFS's own end. */
  symlink: 4095,
  /** Distinct user and group ids together; the count has 16 bits. */
  ids: 65535,
  /** Linux keeps 12 bits of a device's major number and 20 of its minor. */
  major: 0xfff,
  minor: 0xfffff,
} as const;
