import { DIR_ENTRY_SIZE, DIR_HEADER_ENTRIES, DIR_HEADER_SIZE, LIMITS } from '../constants.ts';
import { type Inode, type InodeType, type Listing, readInode, typeOf, utf8 } from './inode.ts';
import type { MetadataReader } from './metadata.ts';
import { damaged } from './source.ts';
import type { SuperblockInfo } from './superblock.ts';

export interface Node {
  inode: Inode;
  /** By name, in the order of the image; empty unless a directory. */
  children: Map<string, Node>;
}

interface DirEntry {
  name: string;
  type: InodeType;
  number: number;
  /** Offset in the inode table of its metadata block, and the byte in that. */
  start: number;
  offset: number;
  /** For errors. */
  at: number;
}

/** Far more than a root has. */
const MAX_NODES = 1_000_000;

/**
 * Every directory, from the root down. Each is read once: a second way to it would be a loop, or a tree that unfolds
 * without end. Other inodes may have several names.
 */
export class TreeReader {
  readonly #metadata: MetadataReader;
  readonly #image: SuperblockInfo;
  readonly #inodes = new Map<string, Inode>();
  /** By number: where each was found. */
  readonly #places = new Map<number, string>();
  readonly #directories = new Set<number>();
  #nodes = 0;

  constructor(metadata: MetadataReader, image: SuperblockInfo) {
    this.#metadata = metadata;
    this.#image = image;
  }

  async root(): Promise<Node> {
    const { start, offset } = this.#image.root;
    const top: Node = { inode: await this.#inode(start, offset), children: new Map() };
    if (top.inode.type !== 'dir') throw damaged(`the root is a ${top.inode.type}`, 32, 'a directory');
    const pending = [{ node: top, pathBytes: 0 }];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      const { node, pathBytes } = next;
      if (!node.inode.dir) continue;
      for await (const entry of this.#entries(node.inode.dir)) {
        const child = { inode: await this.#child(entry), children: new Map() };
        if (node.children.has(entry.name))
          throw damaged(`two entries named ${JSON.stringify(entry.name)}`, entry.at);
        node.children.set(entry.name, child);
        const bytes = pathBytes + 1 + Buffer.byteLength(entry.name);
        if (bytes > LIMITS.path) throw damaged(`a path of ${bytes} bytes`, entry.at, `${LIMITS.path} bytes`);
        if (child.inode.type === 'dir') pending.push({ node: child, pathBytes: bytes });
      }
    }
    return top;
  }

  async *#entries({ start, offset, length }: Listing): AsyncGenerator<DirEntry> {
    const cursor = { block: this.#image.directoryTable + start, offset };
    for (let left = length; left > 0; ) {
      const at = cursor.block;
      if (left < DIR_HEADER_SIZE) throw damaged(`a listing that ends within a header`, at);
      const header = await this.#metadata.take(cursor, DIR_HEADER_SIZE);
      left -= DIR_HEADER_SIZE;
      const entries = header.readUInt32LE(0) + 1;
      if (entries > DIR_HEADER_ENTRIES)
        throw damaged(`${entries} entries under one header`, at, `at most ${DIR_HEADER_ENTRIES}`);
      for (let i = 0; i < entries; i++) {
        const fixed = await this.#metadata.take(cursor, DIR_ENTRY_SIZE);
        const nameLength = fixed.readUInt16LE(6) + 1;
        left -= DIR_ENTRY_SIZE + nameLength;
        if (nameLength > LIMITS.name || left < 0)
          throw damaged(`a name of ${nameLength} bytes`, at, `at most ${LIMITS.name}, within the listing`);
        yield {
          name: fileName(utf8(await this.#metadata.take(cursor, nameLength), at), at),
          type: typeOf(fixed.readUInt16LE(4), at),
          number: header.readUInt32LE(8) + fixed.readInt16LE(2),
          start: header.readUInt32LE(4),
          offset: fixed.readUInt16LE(0),
          at,
        };
      }
    }
  }

  async #child({ name, type, number, start, offset, at }: DirEntry): Promise<Inode> {
    if (++this.#nodes > MAX_NODES) throw damaged(`more than ${MAX_NODES} files`, at);
    const inode = await this.#inode(start, offset);
    if (inode.type !== type || inode.number !== number)
      throw damaged(
        `${JSON.stringify(name)} leads to the ${inode.type} with inode ${inode.number}`,
        at,
        `the ${type} with inode ${number}`,
      );
    return inode;
  }

  async #inode(start: number, offset: number): Promise<Inode> {
    const block = this.#image.inodeTable + start;
    const key = `${block}:${offset}`;
    const known = this.#inodes.get(key);
    const inode = known ?? (await readInode(this.#metadata, { block, offset }, this.#image));
    this.#inodes.set(key, inode);
    // Who counts files by inode would pass one of the two over.
    const place = this.#places.get(inode.number) ?? key;
    if (place !== key) throw damaged(`two inodes with the number ${inode.number}`, block, 'one each');
    this.#places.set(inode.number, key);
    if (inode.type !== 'dir') return inode;
    if (this.#directories.has(inode.number))
      throw damaged(`the directory with inode ${inode.number} is in two places: a loop`, block);
    this.#directories.add(inode.number);
    return inode;
  }
}

function fileName(name: string, at: number): string {
  if (name !== '.' && name !== '..' && !name.includes('/')) return name;
  throw damaged(`${JSON.stringify(name)} is not a file name`, at, 'one path component');
}
