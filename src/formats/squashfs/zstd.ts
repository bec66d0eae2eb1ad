import { constants, zstdCompress } from 'node:zlib';
import { squashfsError } from './error.ts';

const FRAME_MAGIC = 0xfd2fb528;

/**
 * The compressor to hand to `writeSquashfs`. The size is announced because without it node:zlib makes frames
 * with the level's full window (8 MiB at 19), which the kernel refuses to mount, and takes 50 ms for each.
 */
export function zstdCompressor(level: number): (block: Uint8Array) => Promise<Uint8Array> {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  return (block) =>
    new Promise((resolve, reject) =>
      zstdCompress(block, { params, pledgedSrcSize: block.length }, (error, frame) =>
        error === null ? resolve(frame) : reject(error),
      ),
    );
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
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
