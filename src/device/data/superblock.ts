/** What hearthd needs to know from an ext2/3/4 superblock (kernel: Documentation/filesystems/ext4/super.rst). */
export interface Superblock {
  label: string;
  /** Bytes that the file system covers. */
  size: number;
  blockSize: number;
  /**
   * Unmounted in order, without errors, and with no journal to replay: the state that e2fsck itself takes as reason
   * to check nothing.
   */
  clean: boolean;
}

export const SUPERBLOCK_OFFSET = 1024;
export const SUPERBLOCK_SIZE = 1024;

const MAGIC = 0xef53;
const STATE_VALID = 1;
const STATE_ERRORS = 2;
const INCOMPAT_RECOVER = 0x4;
const INCOMPAT_64BIT = 0x80;

const RO_COMPAT_METADATA_CSUM = 0x400;
const LABEL_OFFSET = 0x78;
const LABEL_SIZE = 16;
const CHECKSUM_OFFSET = 0x3fc;

/** @returns undefined when these bytes are not a superblock */
export function parseSuperblock(bytes: Uint8Array): Superblock | undefined {
  if (bytes.length < SUPERBLOCK_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const logBlockSize = view.getUint32(0x18, true);
  if (view.getUint16(0x38, true) !== MAGIC || logBlockSize > 6) return undefined;
  const incompat = view.getUint32(0x60, true);
  const high = incompat & INCOMPAT_64BIT ? view.getUint32(0x150, true) : 0;
  const blocks = high * 2 ** 32 + view.getUint32(0x04, true);
  if (blocks === 0) return undefined;
  const blockSize = 1024 << logBlockSize;
  const state = view.getUint16(0x3a, true);
  return {
    label:
      Buffer.from(bytes.subarray(LABEL_OFFSET, LABEL_OFFSET + LABEL_SIZE))
        .toString('latin1')
        .split('\0')[0] ?? '',
    size: blocks * blockSize,
    blockSize,
    clean: (state & STATE_VALID) !== 0 && (state & STATE_ERRORS) === 0 && (incompat & INCOMPAT_RECOVER) === 0,
  };
}

/**
 * Where the first backup superblocks lie, in the order in which to look: groups 1, 3, 5 and 7 (the `sparse_super`
 * feature), for each block size that mke2fs chooses. The first block of a file system with 1 KiB blocks is number 1.
 */
export function backupPlaces(): { offset: number; block: number; blockSize: number }[] {
  return [4096, 1024, 2048].flatMap((blockSize) =>
    [1, 3, 5, 7].map((group) => {
      const block = group * blockSize * 8 + (blockSize === 1024 ? 1 : 0);
      return { offset: block * blockSize, block, blockSize };
    }),
  );
}

/**
 * The same superblock with another label, its checksum made right again.
 * @param label at most 16 bytes of ASCII
 */
export function withLabel(bytes: Uint8Array, label: string): Uint8Array {
  const changed = Uint8Array.from(bytes.subarray(0, SUPERBLOCK_SIZE));
  changed.fill(0, LABEL_OFFSET, LABEL_OFFSET + LABEL_SIZE);
  changed.set(Buffer.from(label, 'latin1').subarray(0, LABEL_SIZE), LABEL_OFFSET);
  const view = new DataView(changed.buffer);
  if (view.getUint32(0x64, true) & RO_COMPAT_METADATA_CSUM) {
    view.setUint32(CHECKSUM_OFFSET, crc32c(changed.subarray(0, CHECKSUM_OFFSET)), true);
  }
  return changed;
}

/** CRC-32C (Castagnoli, reflected 0x82F63B78) as ext4 has it: started with all ones, not inverted at the end. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  }
  return crc >>> 0;
}
