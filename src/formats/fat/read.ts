import { FormatError } from '../../errors.ts';
import { type Extent, type ReadAt, readExactly, viewOf } from '../bytes.ts';
import { DIR_ENTRY, MAX_DIR_BYTES } from './geometry.ts';
import { foldName, LongNameCollector, shortNameText } from './names.ts';
import { Chains, readVolume, type Volume } from './volume.ts';

const ATTR_LABEL = 0x08;
const ATTR_DIRECTORY = 0x10;
const ATTR_LONG_NAME = 0x0f;
const DELETED = 0xe5;
/** Far more than any boot partition has; what bounds time and memory on a hostile one. */
const MAX_ENTRIES = 200_000;
const MAX_DEPTH = 64;

export interface FatEntry {
  /** The long name, or the short one where there is no long one. */
  name: string;
  /** With '/', from the root, in the case that is stored. */
  path: string;
  isDirectory: boolean;
  /** Bytes; 0 for folders. */
  size: number;
}

interface Node extends FatEntry {
  extents: Extent[];
  /** By folded name; long and short names both lead here. Folders only. */
  children: Map<string, Node>;
  /** In the order on disk. */
  entries: Node[];
}

/** A FAT file system, parsed and checked. Paths are without regard to case, '' is the root. */
export interface FatReader {
  readonly type: 12 | 16 | 32;
  /** As in the boot sector, trailing spaces cut. */
  readonly label: string;
  readonly volumeId: number;
  /** Bytes. */
  readonly clusterSize: number;
  /** The entries of a folder, in the order on disk. */
  list(path: string): FatEntry[];
  /** What is at a path, or undefined. A short name (PROGRA~1) finds its file too. */
  stat(path: string): FatEntry | undefined;
  /** A file's bytes. */
  file(path: string): Uint8Array;
  /**
   * Where in the file system a file's bytes lie, in order, neighbours merged; the lengths add up to its size. A file in
   * one piece has one extent, an empty one none. No two files share a byte.
   */
  extents(path: string): Extent[];
}

function nodeOf(name: string, parentPath: string, isDirectory: boolean, size: number): Node {
  const path = parentPath === '' ? name : `${parentPath}/${name}`;
  return { name, path, isDirectory, size, extents: [], children: new Map(), entries: [] };
}

/** A name from disk that could be taken for a path would make one file look like another. */
function isSafe(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name);
}

class TreeReader {
  readonly #read: ReadAt;
  readonly #volume: Volume;
  readonly #chains: Chains;
  #count = 0;

  constructor(read: ReadAt, volume: Volume) {
    this.#read = read;
    this.#volume = volume;
    this.#chains = new Chains(read, volume);
  }

  root(): Node {
    const { root, rootCluster } = this.#volume;
    const node = nodeOf('', '', true, 0);
    this.#fill(node, root ? [root] : this.#directoryExtents('/', rootCluster), 0);
    return node;
  }

  #directoryExtents(path: string, firstCluster: number): Extent[] {
    const limit = Math.ceil(MAX_DIR_BYTES / this.#volume.clusterBytes);
    return this.#chains.follow(path, firstCluster, 'all', limit);
  }

  #fill(dir: Node, extents: Extent[], depth: number): void {
    if (depth > MAX_DEPTH)
      throw new FormatError('fat', `folders are nested more than ${MAX_DEPTH} deep`, { where: dir.path });
    const longName = new LongNameCollector();
    for (const entry of this.#rawEntries(extents)) {
      const attributes = entry[11] ?? 0;
      if (entry[0] === DELETED) longName.reset();
      else if ((attributes & 0x3f) === ATTR_LONG_NAME) longName.add(entry);
      else if (attributes & ATTR_LABEL) longName.reset();
      else this.#add(dir, entry, longName.take(entry), depth);
    }
  }

  *#rawEntries(extents: Extent[]): Generator<Uint8Array> {
    for (const { offset, length } of extents) {
      const bytes = readExactly(this.#read, offset, length, 'fat').slice();
      for (let at = 0; at < length; at += DIR_ENTRY) {
        // A first byte of 0 ends the directory.
        if (bytes[at] === 0) return;
        yield bytes.subarray(at, at + DIR_ENTRY);
      }
    }
  }

  #add(dir: Node, entry: Uint8Array, longName: string | undefined, depth: number): void {
    const shortName = shortNameText(entry);
    if (shortName === '.' || shortName === '..') return;
    const name = longName !== undefined && isSafe(longName) ? longName : shortName;
    if (!isSafe(name)) {
      throw new FormatError(
        'fat',
        `a file in '${dir.path}/' has the impossible name ${JSON.stringify(name)}`,
        {
          where: dir.path || '/',
          remedy: 'check the file system with fsck.fat',
        },
      );
    }
    if (++this.#count > MAX_ENTRIES) throw new FormatError('fat', `there are more than ${MAX_ENTRIES} files`);
    const view = viewOf(entry);
    const isDirectory = ((entry[11] ?? 0) & ATTR_DIRECTORY) !== 0;
    const size = isDirectory ? 0 : view.getUint32(28, true);
    const high = this.#volume.type === 32 ? view.getUint16(20, true) : 0;
    const firstCluster = high * 0x1_0000 + view.getUint16(26, true);
    const node = nodeOf(name, dir.path, isDirectory, size);
    if (isDirectory) this.#fill(node, this.#directoryExtents(node.path, firstCluster), depth + 1);
    else node.extents = this.#fileExtents(node.path, firstCluster, size);
    dir.entries.push(node);
    // Where two entries have one name, drivers find the first.
    for (const key of [foldName(name), foldName(shortName)]) {
      if (!dir.children.has(key)) dir.children.set(key, node);
    }
  }

  #fileExtents(path: string, firstCluster: number, size: number): Extent[] {
    const { clusterBytes } = this.#volume;
    const clusters = Math.ceil(size / clusterBytes);
    const extents = this.#chains.follow(path, firstCluster, clusters);
    const last = extents.at(-1);
    if (last) last.length -= clusters * clusterBytes - size;
    return extents;
  }
}

/**
 * Reads a FAT12, FAT16 or FAT32 file system, made by anybody. All directories and chains are read and checked here,
 * so that what the result says can be relied on; contents are read when asked for. Time and memory are bounded by the
 * file system's size.
 * @throws FormatError when it is no FAT file system, a chain has a cycle, leaves the volume or crosses another
 *   (naming path and cluster); from the reader's methods, when a path does not exist or is of the other kind
 */
export function readFat(read: ReadAt): FatReader {
  const volume = readVolume(read);
  const root = new TreeReader(read, volume).root();
  const find = (path: string): Node | undefined => {
    let node: Node | undefined = root;
    for (const name of path.split('/').filter((part) => part !== '')) {
      node = node?.children.get(foldName(name));
    }
    return node;
  };
  const need = (path: string, kind: 'file' | 'folder'): Node => {
    const node = find(path);
    if (node && node.isDirectory === (kind === 'folder')) return node;
    const what = node ? `is not a ${kind}` : 'does not exist';
    throw new FormatError('fat', `'${path}' ${what}`, { where: path, expected: `a ${kind}` });
  };
  const publicEntry = ({ name, path, isDirectory, size }: Node): FatEntry => ({
    name,
    path,
    isDirectory,
    size,
  });
  return {
    type: volume.type,
    label: volume.label,
    volumeId: volume.volumeId,
    clusterSize: volume.clusterBytes,
    list: (path) => need(path, 'folder').entries.map(publicEntry),
    stat: (path) => {
      const node = find(path);
      return node && publicEntry(node);
    },
    file: (path) => {
      const node = need(path, 'file');
      return Buffer.concat(
        node.extents.map(({ offset, length }) => readExactly(read, offset, length, 'fat')),
      );
    },
    extents: (path) => need(path, 'file').extents.map((extent) => ({ ...extent })),
  };
}
