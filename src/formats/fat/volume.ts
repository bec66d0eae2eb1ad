import { FormatError } from '../../errors.ts';
import { type Extent, type ReadAt, readExactly, viewOf } from '../bytes.ts';
import { DIR_ENTRY } from './geometry.ts';

const isPowerOfTwo = (value: number) => value > 0 && (value & (value - 1)) === 0;
/**
 * The FAT is read in windows, and so many are kept: a huge FAT costs no memory, and a chain that jumps about to
 * waste time costs one small read a cluster at worst.
 */
const WINDOW_BYTES = 4096;
const MAX_WINDOWS = 1024;
/** Clusters per page of the bitmap of clusters seen; pages are made when first touched. */
const PAGE_CLUSTERS = 32_768;

/** What the boot sector says. Offsets and sizes in bytes. */
export interface Volume {
  type: 12 | 16 | 32;
  label: string;
  volumeId: number;
  sectorBytes: number;
  clusterBytes: number;
  clusterCount: number;
  fatOffset: number;
  /** The fixed root directory of FAT12 and FAT16. */
  root: Extent | undefined;
  /** First cluster of FAT32's root directory. */
  rootCluster: number;
  dataOffset: number;
  size: number;
}

function check(condition: boolean, what: string, offset: number): void {
  if (!condition) {
    throw new FormatError('fat', `${what}, so this is no FAT file system`, {
      offset,
      expected: 'a FAT boot sector',
    });
  }
}

/**
 * Reads and checks the boot sector.
 * @throws FormatError when it is no FAT file system, or ends before its own end
 */
export function readVolume(read: ReadAt): Volume {
  const bytes = readExactly(read, 0, 512, 'fat');
  const view = viewOf(bytes);
  check(view.getUint16(510, true) === 0xaa55, 'the boot signature is missing', 510);
  const sectorBytes = view.getUint16(11, true);
  check(
    isPowerOfTwo(sectorBytes) && sectorBytes >= 512 && sectorBytes <= 4096,
    'the sector size is impossible',
    11,
  );
  const sectorsPerCluster = view.getUint8(13);
  check(isPowerOfTwo(sectorsPerCluster), 'the cluster size is impossible', 13);
  const reserved = view.getUint16(14, true);
  check(reserved > 0, 'there are no reserved sectors', 14);
  const fats = view.getUint8(16);
  check(fats === 1 || fats === 2, 'the number of FATs is impossible', 16);
  const rootEntries = view.getUint16(17, true);
  const shortFat = view.getUint16(22, true);
  const fat32 = shortFat === 0;
  const sectorsPerFat = fat32 ? view.getUint32(36, true) : shortFat;
  check(sectorsPerFat > 0, 'the FAT has no size', 22);
  check(fat32 ? rootEntries === 0 : rootEntries > 0, 'the root directory is impossible', 17);
  const totalSectors = view.getUint16(19, true) || view.getUint32(32, true);
  const rootSectors = Math.ceil((rootEntries * DIR_ENTRY) / sectorBytes);
  const rootSector = reserved + fats * sectorsPerFat;
  const dataSector = rootSector + rootSectors;
  check(totalSectors >= dataSector + sectorsPerCluster, 'there is no room for files', 19);
  const clusterCount = Math.floor((totalSectors - dataSector) / sectorsPerCluster);
  const type = fat32 ? 32 : clusterCount < 4085 ? 12 : 16;
  const tableEntries = Math.floor((sectorsPerFat * sectorBytes * 8) / type);
  check(clusterCount <= 0x0fff_fff5 && clusterCount + 2 <= tableEntries, 'the FAT is too small', 22);
  const extended = fat32 ? 64 : 36;
  const hasLabel = bytes[extended + 2] === 0x29;
  const size = totalSectors * sectorBytes;
  // A boot sector may claim terabytes: that its last sector exists bounds everything that follows.
  readExactly(read, size - sectorBytes, sectorBytes, 'fat');
  return {
    ...{ type, sectorBytes, clusterCount, size },
    label: hasLabel
      ? Buffer.from(bytes.subarray(extended + 7, extended + 18))
          .toString('latin1')
          .trimEnd()
      : '',
    volumeId: hasLabel ? view.getUint32(extended + 3, true) : 0,
    clusterBytes: sectorsPerCluster * sectorBytes,
    fatOffset: reserved * sectorBytes,
    root: fat32 ? undefined : { offset: rootSector * sectorBytes, length: rootSectors * sectorBytes },
    rootCluster: fat32 ? view.getUint32(44, true) : 0,
    dataOffset: dataSector * sectorBytes,
  };
}

/** Follows chains. No cluster may be met twice, in one chain or in two: so all work is bounded by the volume. */
export class Chains {
  readonly #read: ReadAt;
  readonly #volume: Volume;
  readonly #seen = new Map<number, Uint8Array>();
  readonly #windows = new Map<number, Uint8Array<ArrayBuffer>>();
  #window = new Uint8Array(0);
  #windowStart = -1;

  constructor(read: ReadAt, volume: Volume) {
    this.#read = read;
    this.#volume = volume;
  }

  /**
   * The byte ranges of the chain that starts at `first`, neighbours merged.
   * @param path for messages
   * @param clusters how many are wanted; the chain must have that many. 'all': up to its end, at most `limit`
   * @throws FormatError on a chain that is too short or too long, leaves the volume, or meets a cluster twice
   */
  follow(path: string, first: number, clusters: number | 'all', limit = Number.POSITIVE_INFINITY): Extent[] {
    const { clusterBytes, clusterCount, dataOffset } = this.#volume;
    const fail = (cluster: number, what: string): never => {
      throw new FormatError('fat', `the chain of '${path}' ${what}`, {
        where: `${path}, cluster ${cluster}`,
        expected: `clusters 2 to ${clusterCount + 1}, each used once`,
        remedy: 'check the file system with fsck.fat',
      });
    };
    const extents: Extent[] = [];
    let cluster = first;
    for (let count = 0; clusters === 'all' || count < clusters; count++) {
      if (count > 0 && this.#isEnd(cluster)) {
        if (clusters === 'all') return extents;
        fail(cluster, `ends after ${count} of ${clusters} clusters`);
      }
      if (count >= limit) fail(cluster, `goes on after ${limit} clusters`);
      if (cluster < 2 || cluster > clusterCount + 1) fail(cluster, 'leaves the file system');
      if (!this.#mark(cluster)) fail(cluster, 'meets a cluster that is already in use');
      const offset = dataOffset + (cluster - 2) * clusterBytes;
      const last = extents.at(-1);
      if (last && last.offset + last.length === offset) last.length += clusterBytes;
      else extents.push({ offset, length: clusterBytes });
      cluster = this.#next(cluster);
    }
    return extents;
  }

  #isEnd(cluster: number): boolean {
    return cluster >= { 12: 0xff8, 16: 0xfff8, 32: 0x0fff_fff8 }[this.#volume.type];
  }

  /** Notes that a cluster is used; false when it already was. */
  #mark(cluster: number): boolean {
    const index = Math.floor(cluster / PAGE_CLUSTERS);
    const page = this.#seen.get(index) ?? new Uint8Array(PAGE_CLUSTERS / 8);
    this.#seen.set(index, page);
    const bit = cluster % PAGE_CLUSTERS;
    const mask = 1 << (bit & 7);
    const before = page[bit >> 3] ?? 0;
    page[bit >> 3] = before | mask;
    return (before & mask) === 0;
  }

  #next(cluster: number): number {
    const { type } = this.#volume;
    if (type === 12) {
      // Three bytes hold two entries.
      const at = cluster + (cluster >> 1);
      const pair = this.#fatByte(at) | (this.#fatByte(at + 1) << 8);
      return cluster & 1 ? pair >> 4 : pair & 0xfff;
    }
    const at = cluster * (type / 8);
    const low = this.#fatByte(at) | (this.#fatByte(at + 1) << 8);
    if (type === 16) return low;
    // The upper four bits are reserved.
    return low | (this.#fatByte(at + 2) << 16) | ((this.#fatByte(at + 3) & 0x0f) << 24);
  }

  #fatByte(at: number): number {
    const start = at - (at % WINDOW_BYTES);
    if (start !== this.#windowStart) {
      this.#window = this.#windows.get(start) ?? this.#load(start);
      this.#windowStart = start;
    }
    return this.#window[at - start] ?? 0;
  }

  #load(start: number): Uint8Array<ArrayBuffer> {
    const offset = this.#volume.fatOffset + start;
    const length = Math.min(WINDOW_BYTES, this.#volume.size - offset);
    const window = Uint8Array.from(readExactly(this.#read, offset, length, 'fat'));
    const [oldest] = this.#windows.keys();
    if (this.#windows.size >= MAX_WINDOWS && oldest !== undefined) this.#windows.delete(oldest);
    this.#windows.set(start, window);
    return window;
  }
}
