/**
 * Reads squashfs 4.0 images: what `../index.ts` writes, and what mksquashfs writes with zstd or gzip.
 *
 * Read: regular files with blocks, holes and fragments; directories; symlinks; devices, FIFOs and sockets; hard links.
 * Not read: the other compressors; extended attributes, the export table and directory indexes, which are stepped over;
 * names that are not UTF-8. The image is not trusted: whatever its bytes are, reading ends with the right answer or a
 * FormatError, in bounded time and memory.
 */
import { DATA_RAW } from '../constants.ts';
import { type Decompress, decompressorOf } from './decompress.ts';
import { blocksOf, type FileBlocks, type InodeType } from './inode.ts';
import { LookUp } from './lookup.ts';
import { MetadataReader } from './metadata.ts';
import { damaged, type ReadImage, readExactly } from './source.ts';
import { number, readSuperblock, type SuperblockInfo } from './superblock.ts';
import { type Node, TreeReader } from './tree.ts';

export type { ReadImage } from './source.ts';
export type { SuperblockInfo } from './superblock.ts';

export interface SquashfsEntry {
  /** From '/'. */
  path: string;
  type: InodeType;
  /** Permission bits. */
  mode: number;
  uid: number;
  gid: number;
  /** Seconds since 1970. */
  mtime: number;
  /** The same for all names of one file. */
  inode: number;
  /** Bytes of content; 0 for what has none. */
  size: number;
  /** Bytes in the image; for what shares a block with others, its share by size. */
  stored: number;
  /** Symlinks only. */
  target?: string;
  device?: { major: number; minor: number };
}

interface Fragment {
  start: number;
  word: number;
  /** Bytes of content that are known to be in it. */
  filled: number;
}

/** More than any file that is read whole should have; a hole takes nothing in the image. */
const MAX_FILE = 1024 ** 3;
const FRAGMENT_ENTRY = 16;

/** @throws FormatError (`bad-squashfs`) that names the byte, and what `read` throws */
export async function openSquashfs(read: ReadImage): Promise<SquashfsReader> {
  const superblock = await readSuperblock(read);
  const decompress = decompressorOf(superblock.compressor);
  const metadata = new MetadataReader(read, decompress, superblock.used);
  const root = await new TreeReader(metadata, superblock).root();
  const ids = new LookUp(read, metadata, superblock.idTable, 4, superblock.ids);
  const owners = new Map<number, number>();
  const fragments = new Map<number, Fragment>();
  const { fragmentTable } = superblock;
  const table = new LookUp(read, metadata, fragmentTable ?? 0, FRAGMENT_ENTRY, superblock.fragments);
  for (const [, { inode }] of walk(root)) {
    for (const index of [inode.uid, inode.gid])
      if (!owners.has(index)) owners.set(index, (await ids.entry(index, superblock.idTable)).readUInt32LE(0));
    const tail = inode.file?.tail;
    if (!tail) continue;
    const known = fragments.get(tail.fragment);
    const fragment = known ?? parseFragment(await table.entry(tail.fragment, fragmentTable ?? 0), superblock);
    fragment.filled = Math.max(fragment.filled, tail.offset + tail.length);
    fragments.set(tail.fragment, fragment);
  }
  return new SquashfsReader(read, decompress, superblock, root, owners, fragments);
}

/** A squashfs image whose tree has been read; contents are read when asked for. */
export class SquashfsReader {
  readonly superblock: SuperblockInfo;
  readonly #read: ReadImage;
  readonly #decompress: Decompress;
  readonly #root: Node;
  readonly #owners: Map<number, number>;
  readonly #fragments: Map<number, Fragment>;
  /** The last one, unpacked: neighbours in a directory share it. */
  #open: { index: number; bytes: Buffer } | undefined;

  /** Use `openSquashfs`. */
  constructor(
    read: ReadImage,
    decompress: Decompress,
    superblock: SuperblockInfo,
    root: Node,
    owners: Map<number, number>,
    fragments: Map<number, Fragment>,
  ) {
    this.superblock = superblock;
    this.#read = read;
    this.#decompress = decompress;
    this.#root = root;
    this.#owners = owners;
    this.#fragments = fragments;
  }

  /** Everything in the image, parents first, names in the image's order, which is bytewise. */
  *entries(): Generator<SquashfsEntry> {
    for (const [path, node] of walk(this.#root)) yield this.#describe(path, node);
  }

  /** What is at a path, or undefined. Links are not followed. */
  stat(path: string): SquashfsEntry | undefined {
    const node = this.#find(path);
    return node && this.#describe(path, node);
  }

  /**
   * A file's bytes. Links are not followed.
   * @throws FormatError also when there is no such file, or it is larger than `maxSize`
   */
  async file(path: string, maxSize = MAX_FILE): Promise<Buffer> {
    const { size } = this.#fileAt(path);
    if (size > maxSize)
      throw damaged(`${path} has ${size} bytes`, this.#fileAt(path).start, `at most ${maxSize} bytes`);
    const blocks: Uint8Array[] = [];
    for await (const block of this.blocks(path)) blocks.push(block);
    return Buffer.concat(blocks);
  }

  /** The same, block by block, for files of any size. */
  async *blocks(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    const file = this.#fileAt(path);
    const { blockSize } = this.superblock;
    for (const { length, at, word } of blocksOf(file, blockSize))
      yield word === 0 ? new Uint8Array(length) : await this.#block(at, word, length, length);
    const { tail } = file;
    if (!tail) return;
    const bytes = await this.#fragment(tail.fragment);
    yield bytes.subarray(tail.offset, tail.offset + tail.length);
  }

  async #fragment(index: number): Promise<Buffer> {
    if (this.#open?.index === index) return this.#open.bytes;
    const fragment = this.#fragments.get(index);
    if (!fragment) throw new Error(`squashfs: no file led to fragment ${index}`);
    const { start, word, filled } = fragment;
    const bytes = await this.#block(start, word, filled, this.superblock.blockSize);
    this.#open = { index, bytes };
    return bytes;
  }

  async #block(at: number, word: number, least: number, most: number): Promise<Buffer> {
    const stored = await readExactly(this.#read, at, word % DATA_RAW);
    const bytes = word >= DATA_RAW ? stored : await this.#decompress(stored, most, at);
    if (bytes.length < least || bytes.length > most)
      throw damaged(
        `a block of ${bytes.length} bytes`,
        at,
        least === most ? `${most}` : `${least} to ${most}`,
      );
    return bytes;
  }

  #fileAt(path: string): FileBlocks {
    const file = this.#find(path)?.inode.file;
    if (!file) throw damaged(`there is no file ${path}`, this.superblock.directoryTable);
    return file;
  }

  #find(path: string): Node | undefined {
    const parts = path.split('/').filter(Boolean);
    return parts.reduce<Node | undefined>((node, part) => node?.children.get(part), this.#root);
  }

  #describe(path: string, { inode }: Node): SquashfsEntry {
    const { type, mode, mtime, number: inodeNumber, file, target, device } = inode;
    return {
      path,
      type,
      mode,
      uid: this.#owners.get(inode.uid) ?? 0,
      gid: this.#owners.get(inode.gid) ?? 0,
      mtime,
      inode: inodeNumber,
      size: file?.size ?? 0,
      stored: file ? this.#stored(file) : 0,
      ...(target === undefined ? {} : { target }),
      ...(device ? { device } : {}),
    };
  }

  #stored({ stored, tail }: FileBlocks): number {
    const fragment = tail && this.#fragments.get(tail.fragment);
    if (!fragment) return stored;
    return stored + Math.round(((fragment.word % DATA_RAW) * tail.length) / fragment.filled);
  }
}

function parseFragment(entry: Buffer, image: SuperblockInfo): Fragment {
  const { fragmentTable = 0, used, blockSize } = image;
  const start = number(entry, 0, fragmentTable);
  const word = entry.readUInt32LE(8);
  const size = word % DATA_RAW;
  if (size === 0 || size > blockSize || word >= 2 * DATA_RAW || start + size > used)
    throw damaged(
      `a fragment block of ${size} bytes at byte ${start}`,
      fragmentTable,
      `1 to ${blockSize} bytes, within ${used}`,
    );
  return { start, word, filled: 0 };
}

function* walk(root: Node): Generator<[path: string, node: Node]> {
  const pending: [string, Node][] = [['/', root]];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    yield next;
    const [path, node] = next;
    const below = path === '/' ? '' : path;
    for (const [name, child] of [...node.children].reverse()) pending.push([`${below}/${name}`, child]);
  }
}
