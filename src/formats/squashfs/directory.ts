/** A directory's listing as bytes: runs of entries under headers. Layout: squashfs_dir_header, squashfs_dir_entry. */

import type { TreeNode } from '../tree.ts';
import {
  DIR_ENTRY_SIZE,
  DIR_HEADER_ENTRIES,
  DIR_HEADER_SIZE,
  DIR_SIZE_EXTRA,
  INODE,
  MAX_U16,
  MAX_U32,
  METADATA_BLOCK,
} from './constants.ts';
import { squashfsError } from './error.ts';

/** The number of an entry's inode may be at most this far from its header's: a signed 16-bit distance. */
const MAX_DISTANCE = 32767;

export interface Entry {
  name: Uint8Array;
  type: TreeNode['type'];
  inode: number;
  /** Where the inode is: offset in the inode table of its metadata block, and the byte in that. */
  start: number;
  offset: number;
}

export interface Listing {
  bytes: Buffer;
  /**
   * What an index points to: the headers that are the first to start in their metadata block, but for the very
   * first. `block` counts from the block in which the listing starts.
   */
  index: { at: number; block: number; name: Uint8Array }[];
}

/**
 * @param entries sorted by name
 * @param offset of the listing in the metadata block it starts in
 * @param path for errors
 */
export function listing(entries: readonly Entry[], offset: number, path: string): Listing {
  const pieces: Uint8Array[] = [];
  const index: Listing['index'] = [];
  let size = 0;
  let indexed = 0;
  let header: { count: number; start: number; inode: number; bytes: Buffer } | undefined;
  for (const entry of entries) {
    const block = Math.floor((offset + size) / METADATA_BLOCK);
    if (
      header === undefined ||
      header.count === DIR_HEADER_ENTRIES ||
      header.start !== entry.start ||
      Math.abs(entry.inode - header.inode) > MAX_DISTANCE ||
      block !== indexed
    ) {
      // An inode has 16 bits for the length of its index; what lies behind its end is found by reading on.
      if (block !== indexed && index.length < MAX_U16) index.push({ at: size, block, name: entry.name });
      indexed = block;
      header = { count: 0, start: entry.start, inode: entry.inode, bytes: Buffer.alloc(DIR_HEADER_SIZE) };
      header.bytes.writeUInt32LE(entry.start, 4);
      header.bytes.writeUInt32LE(entry.inode, 8);
      pieces.push(header.bytes);
      size += DIR_HEADER_SIZE;
    }
    header.bytes.writeUInt32LE(header.count, 0);
    header.count++;
    const bytes = Buffer.alloc(DIR_ENTRY_SIZE);
    bytes.writeUInt16LE(entry.offset, 0);
    bytes.writeInt16LE(entry.inode - header.inode, 2);
    bytes.writeUInt16LE(INODE[entry.type], 4);
    bytes.writeUInt16LE(entry.name.length - 1, 6);
    pieces.push(bytes, entry.name);
    size += DIR_ENTRY_SIZE + entry.name.length;
  }
  if (size + DIR_SIZE_EXTRA > MAX_U32)
    throw squashfsError(`a directory whose listing takes ${size} bytes`, {
      where: path,
      expected: `at most ${MAX_U32 - DIR_SIZE_EXTRA} bytes: fewer or shorter names`,
    });
  return { bytes: Buffer.concat(pieces, size), index };
}
