import { FormatError } from '../../errors.ts';
import { type Piece, type SparseImage, viewOf } from '../bytes.ts';
import { DIR_ENTRY, type FatType, type Geometry, geometryFor, ROOT_ENTRIES, SECTOR } from './geometry.ts';
import { directoriesOf, type FatFile, filesOf, type PlacedDir, placeFiles } from './layout.ts';
import { labelBytes, longEntries, type ShortName, shortNameChecksum } from './names.ts';

export interface FatOptions {
  /** FAT16 for 2 MiB to 2 GiB; FAT32 from 33 MiB. */
  type: FatType;
  /** Bytes, a multiple of 512. */
  size: number;
  /** 1, 2, 4 … 64; chosen when missing. */
  sectorsPerCluster?: number;
  /** 1 to 11 upper-case characters. */
  label: string;
  /** 32 bits: the serial number that `blkid` shows as XXXX-XXXX. */
  volumeId: number;
  /** Sectors before the partition on the disk: some boot ROMs read it. */
  hiddenSectors?: number;
  /** The time stamp of every file, taken as UTC; 1980 to 2107, to two seconds. */
  time: Date;
}

const ATTR_LABEL = 0x08;
const ATTR_DIRECTORY = 0x10;
const ATTR_ARCHIVE = 0x20;
const MEDIA_HARD_DISK = 0xf8;
const FSINFO_SECTOR = 1;
const BACKUP_SECTOR = 6;

function checkUint32(value: number, what: string): void {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw new FormatError('fat', `the ${what} ${value} cannot be written`, {
      expected: '0 to 4,294,967,295',
    });
  }
}

function dosTime(time: Date): { date: number; time: number } {
  const year = time.getUTCFullYear();
  if (!(year >= 1980 && year <= 2107)) {
    throw new FormatError('fat', `the year ${year} cannot be written`, { expected: '1980 to 2107' });
  }
  return {
    date: ((year - 1980) << 9) | ((time.getUTCMonth() + 1) << 5) | time.getUTCDate(),
    time: (time.getUTCHours() << 11) | (time.getUTCMinutes() << 5) | (time.getUTCSeconds() >> 1),
  };
}

/** The boot sector with its parameter block (Microsoft FAT specification, section 3). */
function bootSector(geometry: Geometry, options: FatOptions): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = viewOf(bytes);
  const fat32 = geometry.type === 32;
  bytes.set([0xeb, fat32 ? 0x58 : 0x3c, 0x90]);
  // The specification recommends this OEM name: some systems check it.
  bytes.set(Buffer.from('MSWIN4.1'), 3);
  view.setUint16(11, SECTOR, true);
  bytes[13] = geometry.sectorsPerCluster;
  view.setUint16(14, geometry.reservedSectors, true);
  bytes[16] = 2;
  view.setUint16(17, fat32 ? 0 : ROOT_ENTRIES, true);
  const small = !fat32 && geometry.totalSectors < 0x1_0000;
  view.setUint16(19, small ? geometry.totalSectors : 0, true);
  bytes[21] = MEDIA_HARD_DISK;
  view.setUint16(22, fat32 ? 0 : geometry.sectorsPerFat, true);
  view.setUint16(24, 63, true);
  view.setUint16(26, 255, true);
  view.setUint32(28, options.hiddenSectors ?? 0, true);
  view.setUint32(32, small ? 0 : geometry.totalSectors, true);
  if (fat32) {
    view.setUint32(36, geometry.sectorsPerFat, true);
    view.setUint32(44, 2, true);
    view.setUint16(48, FSINFO_SECTOR, true);
    view.setUint16(50, BACKUP_SECTOR, true);
  }
  const extended = fat32 ? 64 : 36;
  bytes[extended] = 0x80;
  bytes[extended + 2] = 0x29;
  view.setUint32(extended + 3, options.volumeId, true);
  bytes.set(labelBytes(options.label), extended + 7);
  bytes.set(Buffer.from(fat32 ? 'FAT32   ' : 'FAT16   '), extended + 18);
  view.setUint16(510, 0xaa55, true);
  return bytes;
}

/** FSInfo (section 5): how many clusters are free, and where to look for the next one. */
function fsInfo(geometry: Geometry, usedClusters: number): Uint8Array {
  const bytes = new Uint8Array(SECTOR);
  const view = viewOf(bytes);
  view.setUint32(0, 0x4161_5252, true);
  view.setUint32(484, 0x6141_7272, true);
  view.setUint32(488, geometry.clusterCount - usedClusters, true);
  view.setUint32(492, usedClusters < geometry.clusterCount ? usedClusters + 2 : 0xffff_ffff, true);
  view.setUint32(508, 0xaa55_0000, true);
  return bytes;
}

/** The used part of one FAT: every chain is a run of neighbours. Both dirty bits say 'clean'. */
function fatTable(
  geometry: Geometry,
  runs: { firstCluster: number; clusters: number }[],
  used: number,
): Uint8Array {
  const width = geometry.type / 8;
  const bytes = new Uint8Array((used + 2) * width);
  const view = viewOf(bytes);
  const end = geometry.type === 32 ? 0x0fff_ffff : 0xffff;
  const set = (cluster: number, value: number) =>
    width === 4 ? view.setUint32(cluster * 4, value, true) : view.setUint16(cluster * 2, value, true);
  set(0, (end & ~0xff) | MEDIA_HARD_DISK);
  set(1, end);
  for (const { firstCluster, clusters } of runs) {
    for (let index = 0; index < clusters; index++) {
      set(firstCluster + index, index === clusters - 1 ? end : firstCluster + index + 1);
    }
  }
  return bytes;
}

class DirWriter {
  readonly bytes: Uint8Array;
  readonly #stamp: { date: number; time: number };
  #at = 0;

  constructor(entries: number, stamp: { date: number; time: number }) {
    this.bytes = new Uint8Array(entries * DIR_ENTRY);
    this.#stamp = stamp;
  }

  short(raw: Uint8Array, attributes: number, firstCluster: number, size: number): void {
    const entry = this.bytes.subarray(this.#at, this.#at + DIR_ENTRY);
    const view = viewOf(entry);
    entry.set(raw);
    entry[11] = attributes;
    if (attributes !== ATTR_LABEL) {
      view.setUint16(14, this.#stamp.time, true);
      view.setUint16(16, this.#stamp.date, true);
      view.setUint16(18, this.#stamp.date, true);
    }
    view.setUint16(20, firstCluster >>> 16, true);
    view.setUint16(22, this.#stamp.time, true);
    view.setUint16(24, this.#stamp.date, true);
    view.setUint16(26, firstCluster & 0xffff, true);
    view.setUint32(28, size, true);
    this.#at += DIR_ENTRY;
  }

  named(name: string, short: ShortName, attributes: number, firstCluster: number, size: number): void {
    const raw = Buffer.from(short.raw, 'latin1');
    if (short.needsLong) {
      for (const entry of longEntries(name, shortNameChecksum(raw))) {
        this.bytes.set(entry, this.#at);
        this.#at += DIR_ENTRY;
      }
    }
    this.short(raw, attributes, firstCluster, size);
  }
}

function directory(dir: PlacedDir, label: string, stamp: { date: number; time: number }): Uint8Array {
  const writer = new DirWriter(dir.entries, stamp);
  if (dir.parent) {
    writer.short(Buffer.from('.          '), ATTR_DIRECTORY, dir.firstCluster, 0);
    // '..' names the root as cluster 0, also where the root has a cluster (section 6.5).
    const up = dir.parent.parent ? dir.parent.firstCluster : 0;
    writer.short(Buffer.from('..         '), ATTR_DIRECTORY, up, 0);
  } else writer.short(labelBytes(label), ATTR_LABEL, 0, 0);
  for (const { name, short, node } of dir.children) {
    if (node.kind === 'dir') writer.named(name, short, ATTR_DIRECTORY, node.firstCluster, 0);
    else writer.named(name, short, ATTR_ARCHIVE, node.firstCluster, node.size);
  }
  return writer.bytes;
}

/**
 * Writes a FAT16 or FAT32 file system (Microsoft Extensible Firmware Initiative FAT32 File System Specification,
 * 1.03), with long names. The subset: sectors of 512 bytes, two FATs, no empty folders; every file and folder lies in
 * one run of clusters, in the order of the names, so that the same files give the same bytes. Directory
 * entries carry a long name unless the name is an upper-case 8.3 one.
 * @throws FormatError that names the file that cannot be written or does not fit, and by how much
 */
export function writeFat(files: readonly FatFile[], options: FatOptions): SparseImage {
  checkUint32(options.volumeId, 'volume id');
  checkUint32(options.hiddenSectors ?? 0, 'number of hidden sectors');
  const geometry = geometryFor(options.type, options.size, options.sectorsPerCluster);
  const stamp = dosTime(options.time);
  const { root, usedClusters } = placeFiles(files, geometry);
  const dirs = directoriesOf(root);
  const contents = filesOf(root);
  const pieces: Piece[] = [];
  const at = (sector: number, bytes: Uint8Array) => pieces.push({ offset: sector * SECTOR, bytes });

  const boot = bootSector(geometry, options);
  at(0, boot);
  if (geometry.type === 32) {
    const info = fsInfo(geometry, usedClusters);
    at(FSINFO_SECTOR, info);
    at(BACKUP_SECTOR, boot);
    at(BACKUP_SECTOR + FSINFO_SECTOR, info);
  }
  const table = fatTable(geometry, [...dirs.filter((dir) => dir.clusters > 0), ...contents], usedClusters);
  at(geometry.reservedSectors, table);
  at(geometry.reservedSectors + geometry.sectorsPerFat, table);
  for (const dir of dirs) {
    const bytes = directory(dir, options.label, stamp);
    if (dir.firstCluster === 0) at(geometry.firstDataSector - geometry.rootSectors, bytes);
    else at(sectorOf(geometry, dir.firstCluster), bytes);
  }
  for (const { content, firstCluster } of contents) {
    if (content.length > 0) at(sectorOf(geometry, firstCluster), content);
  }
  return { size: options.size, pieces };
}

function sectorOf(geometry: Geometry, cluster: number): number {
  return geometry.firstDataSector + (cluster - 2) * geometry.sectorsPerCluster;
}
