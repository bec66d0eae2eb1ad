import { constants, zstdCompress } from 'node:zlib';
import { squashfsError } from './error.ts';

const FRAME_MAGIC = 0xfd2fb528;

/** Raised when the same zstd gives other frames through `zstdCompressor`. */
const FRAMES = 2;

/** The `compressorVersion` of `zstdCompressor`. */
export const zstdVersion = `${process.versions.zstd}.${FRAMES}`;

/**
 * The compressor to hand to `writeSquashfs`. The size is announced because without it node:zlib makes frames
 * with the level's full window (8 MiB at 19), which the kernel refuses to mount, and takes 50 ms for each.
 */
export function zstdCompressor(level: number): (block: Uint8Array) => Promise<Uint8Array> {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return (block) =>
    new Promise((resolve, reject) =>
      zstdCompress(block, { params, pledgedSrcSize: block.length }, (error, frame) =>
        error === null ? resolve(withoutEmptyEnd(frame)) : reject(error),
      ),
    );
}

/**
 * The frame without an empty block at its end. node:zlib feeds zstd and ends it in two steps, which leaves one behind
 * every input of whole 128 KiB. The kernel's squashfs decompresses into as many pages as a block has: where the three
 * bytes of the empty block lie across two pages of the disk it asks for a page more, and the block cannot be read
 * (EIO), while every decompressor in user space reads it.
 */
function withoutEmptyEnd(frame: Uint8Array): Uint8Array {
  const { before, last, lastSize } = frameBlocks(frame);
  if (lastSize > 0 || before === undefined) return frame;
  const cut = Uint8Array.from(frame.subarray(0, last));
  cut[before] = (cut[before] ?? 0) | LAST_BLOCK;
  return cut;
}

const LAST_BLOCK = 1;
/** The type of a block that is one byte, repeated. */
const RLE = 1;

/** Where the last block of a frame begins, and the one before it. Headers: RFC 8878, sections 3.1.1.1 and 3.1.1.2. */
function frameBlocks(frame: Uint8Array): { before: number | undefined; last: number; lastSize: number } {
  const descriptor = frame[4] ?? 0;
  const single = (descriptor >> 5) & 1;
  const dictionary = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const contentSize = [single, 2, 4, 8][descriptor >> 6] ?? 0;
  let before: number | undefined;
  for (let at = 5 + (1 - single) + dictionary + contentSize; at + 3 <= frame.length; ) {
    const header = (frame[at] ?? 0) | ((frame[at + 1] ?? 0) << 8) | ((frame[at + 2] ?? 0) << 16);
    const [type, size] = [(header >> 1) & 3, header >> 3];
    if (header & LAST_BLOCK) return { before, last: at, lastSize: size };
    before = at;
    at += 3 + (type === RLE ? 1 : size);
  }
  throw squashfsError('compress() returned a zstd frame that does not end', {
    remedy: 'Pass zstdCompressor(level).',
  });
}

/**
 * Throws a FormatError unless the kernel will be able to decompress the frame: it allocates one window of the
 * block's size, where `unsquashfs` takes what comes and would not notice. Frame header: RFC 8878, section 3.1.1.1.
 */
export function checkFrame(frame: Uint8Array, blockLength: number, windowLimit: number): void {
  const bytes = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (bytes.byteLength < 6 || bytes.getUint32(0, true) !== FRAME_MAGIC)
    throw squashfsError('compress() did not return a zstd frame', { remedy: 'Pass zstdCompressor(level).' });
  const descriptor = bytes.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const window = singleSegment ? blockLength : windowSize(bytes.getUint8(5));
  if (window > windowLimit || (descriptor & 3) !== 0)
    throw squashfsError(
      (descriptor & 3) !== 0
        ? 'compress() returned a zstd frame that needs a dictionary'
        : `compress() returned a zstd frame that needs a window of ${window} bytes`,
      {
        expected: `a window of at most ${windowLimit} bytes and no dictionary: the kernel has no more`,
        remedy: 'Pass zstdCompressor(level), or announce the size of every block (pledgedSrcSize).',
      },
    );
  const { before, lastSize } = frameBlocks(frame);
  if (before !== undefined && lastSize === 0)
    throw squashfsError('compress() returned a zstd frame that ends with an empty block', {
      expected: 'a frame whose last block has bytes: the kernel may have no page left to read on',
      remedy: 'Pass zstdCompressor(level).',
    });
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
