/**
 * Writes squashfs 4.0 images, compressed with zstd: the read-only root file system of a device.
 *
 * Written: regular files (shared when their contents are the same, with holes where a block is all zeros),
 * directories of any size (indexed when their listing passes 64 KiB), symlinks, character and block devices, owners,
 * modes, one time stamp for all. Not written: extended attributes, hard links, FIFOs, sockets, the NFS export table,
 * compressors other than zstd, time stamps after 2106, more than 65,535 distinct ids. Limits: `LIMITS` in
 * constants.ts. Nothing is read back.
 *
 * The image depends on the tree, the options and the compressor's output alone; not on the order in which entries
 * were added, in which compress() calls end, or on what is in the cache.
 *
 * Order in the image: superblock, compressor's options, data and fragment blocks (layout.ts says in which order),
 * inode table, directory table, fragment table, id table, zeros up to 4096. The kernel wants the id table last.
 */
import type { DirNode } from '../tree.ts';
import { BlockCompressor } from './blocks.ts';
import { LIMITS, MAX_U32, SUPERBLOCK_SIZE } from './constants.ts';
import { DataArea } from './data.ts';
import { squashfsError } from './error.ts';
import { layOut } from './layout.ts';
import { lookUpTable } from './metadata.ts';
import type { Squashfs, SquashfsOptions } from './options.ts';
import { packUnits } from './pack.ts';
import { compressorOptions, encodeSuperblock } from './superblock.ts';
import { writeTables } from './tables.ts';
import { Ids, walk } from './walk.ts';

export type { BlockCache, Squashfs, SquashfsOptions, StoredFile } from './options.ts';
export { zstdCompressor, zstdVersion } from './zstd.ts';

const DEFAULT_BLOCK_SIZE = 262144;
/** Images are padded to this many bytes, as mksquashfs does: loop devices and partitions have such sectors. */
const PADDING = 4096;

/**
 * The image of a tree.
 * @throws FormatError (`bad-squashfs`) that names the path or the option, when the format cannot hold it, when a
 * file's content is not what was announced, or when compress() returns what no kernel decompresses
 */
export async function writeSquashfs(root: DirNode, options: SquashfsOptions): Promise<Squashfs> {
  const { mtime, compressorLevel, compressorVersion = '', cache, onProgress } = options;
  const { blockSize = DEFAULT_BLOCK_SIZE } = options;
  checkOptions(blockSize, options);
  const items = walk(root);
  const ids = new Ids(items);
  const compressor = new BlockCompressor(options.compress, blockSize);

  const layout = layOut(items, blockSize, options);
  const pack = { blockSize, compressorLevel, compressorVersion, cache, compressor, onProgress };
  const packed = await packUnits(layout.units, pack);
  const zstdOptions = compressorOptions(compressorLevel);
  const data = new DataArea(layout, packed, SUPERBLOCK_SIZE + zstdOptions.length, blockSize);

  const tables = await writeTables(items, ids, data, mtime, compressor);
  const inodeTable = data.end;
  const directoryTable = inodeTable + byteLength(tables.inodes);
  const fragmentsAt = directoryTable + byteLength(tables.directories);
  const fragments = await lookUpTable(data.fragmentTable, fragmentsAt, compressor);
  const idsAt = fragmentsAt + byteLength(fragments.pieces);
  const idTable = await lookUpTable(ids.encode(), idsAt, compressor);
  const used = idsAt + byteLength(idTable.pieces);
  const size = Math.ceil(used / PADDING) * PADDING;

  const superblock = encodeSuperblock({
    inodes: items.length,
    mtime,
    blockSize,
    fragments: data.fragments,
    ids: ids.list.length,
    root: tables.root,
    used,
    idTable: idTable.start,
    inodeTable,
    directoryTable,
    fragmentTable: data.fragments === 0 ? undefined : fragments.start,
  });
  const image = [
    Buffer.concat([superblock, zstdOptions]),
    ...data.pieces,
    ...tables.inodes,
    ...tables.directories,
    ...fragments.pieces,
    ...idTable.pieces,
    new Uint8Array(size - used),
  ].filter((piece) => piece.length > 0);
  const tableStarts = [inodeTable, directoryTable, fragmentsAt, idsAt];
  const boundaries = [...new Set([...data.boundaries, ...tableStarts])];
  return { image, size, boundaries, largest: data.largest() };
}

function checkOptions(blockSize: number, { mtime, compressorLevel }: SquashfsOptions): void {
  const { minBlockSize, maxBlockSize } = LIMITS;
  if (!Number.isInteger(Math.log2(blockSize)) || blockSize < minBlockSize || blockSize > maxBlockSize)
    throw squashfsError(`a block size of ${blockSize}`, {
      where: 'blockSize',
      expected: `a power of two from ${minBlockSize} to ${maxBlockSize}`,
    });
  if (!Number.isInteger(mtime) || mtime < 0 || mtime > MAX_U32)
    throw squashfsError(`the time ${mtime}`, { where: 'mtime', expected: `whole seconds, 0 to ${MAX_U32}` });
  if (!Number.isInteger(compressorLevel) || compressorLevel < 1 || compressorLevel > 22)
    throw squashfsError(`the level ${compressorLevel}`, { where: 'compressorLevel', expected: '1 to 22' });
}

function byteLength(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}
