import { FormatError } from '../../errors.ts';
import { alignUp } from '../bytes.ts';

/** The only sector size written. */
export const SECTOR = 512;
export const DIR_ENTRY = 32;
/** Entries of a FAT16 root directory, whose place is fixed: what every formatter uses on a hard disk. */
export const ROOT_ENTRIES = 512;
/** A directory may not be larger (Microsoft FAT specification, section 6.2: 65,536 entries). */
export const MAX_DIR_BYTES = 65_536 * DIR_ENTRY;

export type FatType = 16 | 32;

/**
 * Cluster counts that decide between FAT12, FAT16 and FAT32 (Microsoft FAT specification, section 3.5: FAT16
 * has 4,085 to 65,524, FAT32 65,525 and more). The specification also asks to stay 16 away from both borders, because
 * much code, boot ROMs included, is off by a few.
 */
const MARGIN = 16;
export const CLUSTER_LIMITS: Record<FatType, { min: number; max: number }> = {
  16: { min: 4085 + MARGIN, max: 65_524 - MARGIN },
  32: { min: 65_525 + MARGIN, max: 0x0fff_fff5 - MARGIN },
};

/** Where everything lies; in sectors unless it says otherwise. */
export interface Geometry {
  type: FatType;
  totalSectors: number;
  sectorsPerCluster: number;
  clusterBytes: number;
  reservedSectors: number;
  sectorsPerFat: number;
  /** Sectors of the fixed root directory; 0 on FAT32. */
  rootSectors: number;
  firstDataSector: number;
  clusterCount: number;
}

const FATS = 2;
/** The data area starts on such a border, so that clusters do not straddle the pages of a card. */
const ALIGN_SECTORS = 8;

function layOut(type: FatType, totalSectors: number, sectorsPerCluster: number): Geometry {
  const rootSectors = type === 16 ? (ROOT_ENTRIES * DIR_ENTRY) / SECTOR : 0;
  const minReserved = type === 16 ? 1 : 32;
  const entriesPerSector = SECTOR / (type / 8);
  const withFat = (sectorsPerFat: number): Geometry => {
    const metadata = FATS * sectorsPerFat + rootSectors;
    const firstDataSector = alignUp(minReserved + metadata, ALIGN_SECTORS);
    const clusterCount = Math.max(0, Math.floor((totalSectors - firstDataSector) / sectorsPerCluster));
    const clusterBytes = sectorsPerCluster * SECTOR;
    const reservedSectors = firstDataSector - metadata;
    return {
      ...{ type, totalSectors, sectorsPerCluster, clusterBytes, reservedSectors, sectorsPerFat },
      ...{ rootSectors, firstDataSector, clusterCount },
    };
  };
  const needed = (geometry: Geometry) => Math.ceil((geometry.clusterCount + 2) / entriesPerSector);
  // A larger FAT leaves fewer clusters and so needs less: the smallest that is large enough is found by halving.
  let low = 1;
  let high = needed(withFat(1));
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (needed(withFat(middle)) <= middle) high = middle;
    else low = middle + 1;
  }
  return withFat(low);
}

/**
 * Lays a file system out. Without `sectorsPerCluster` the largest cluster of at most 4 KiB that keeps the
 * cluster count inside its type's limits is taken, or else the smallest larger one.
 * @throws FormatError when no cluster size makes `size` bytes a file system of that type
 */
export function geometryFor(type: FatType, size: number, sectorsPerCluster?: number): Geometry {
  if (!Number.isInteger(size / SECTOR) || size <= 0 || size / SECTOR > 0xffff_ffff) {
    throw new FormatError('fat', `a file system of ${size} bytes cannot be written`, {
      expected: `a multiple of ${SECTOR} bytes, at most 2 TiB`,
    });
  }
  if (sectorsPerCluster !== undefined && ![1, 2, 4, 8, 16, 32, 64].includes(sectorsPerCluster)) {
    throw new FormatError('fat', `${sectorsPerCluster} sectors per cluster`, {
      expected: '1, 2, 4, 8, 16, 32 or 64',
    });
  }
  const { min, max } = CLUSTER_LIMITS[type];
  const counts: number[] = [];
  for (const candidate of sectorsPerCluster ? [sectorsPerCluster] : [8, 4, 2, 1, 16, 32, 64]) {
    const geometry = layOut(type, size / SECTOR, candidate);
    if (geometry.clusterCount >= min && geometry.clusterCount <= max) return geometry;
    counts.push(geometry.clusterCount);
  }
  const most = Math.max(...counts);
  const remedy = most < min ? 'make it larger' : 'make it smaller, or use FAT32';
  throw new FormatError('fat', `${size} bytes make no FAT${type}: it would have ${most} clusters`, {
    expected: `${min} to ${max} clusters`,
    remedy: sectorsPerCluster && most < min ? 'make it larger, or the clusters smaller' : remedy,
  });
}
