import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { text } from './sample.ts';
import { checkFrame, zstdCompressor } from './zstd.ts';

describe('zstdCompressor', () => {
  it.each([1, 2, 255, 256, 8192, 65535, 65536 + 256, 131072, 1048576])(
    'makes frames of %i bytes that fit a window of that size',
    async (size) => {
      const block = text(size, 0);
      const frame = await zstdCompressor(19)(block);
      checkFrame(frame, size, size);
      expect(zstdDecompressSync(frame)).toEqual(block);
      // What zstd makes when it has the whole block at once: no empty block at the end, which no kernel reads reliably.
      const params = { [constants.ZSTD_c_compressionLevel]: 19 };
      expect(Buffer.compare(frame, zstdCompressSync(block, { params, pledgedSrcSize: size }))).toBe(0);
    },
  );

  it('ends no frame with an empty block, whatever the block holds', async () => {
    for (const block of [
      Buffer.alloc(1048576, 7),
      randomBytes(1048576),
      randomBytes(131072),
      text(262144, 1),
    ])
      checkFrame(await zstdCompressor(19)(block), block.length, block.length);
  });
});

describe('checkFrame', () => {
  const block = text(8192, 0);

  it("refuses the full window of a level, which node:zlib's stream takes when it is not told the size", () => {
    const params = { [constants.ZSTD_c_compressionLevel]: 19, [constants.ZSTD_c_contentSizeFlag]: 0 };
    const streamed = zstdCompressSync(block, { params, pledgedSrcSize: block.length });
    expect(() => checkFrame(streamed, block.length, 4096)).toThrow(/window of 8192 bytes/);
    const descriptor = (23 - 10) << 3;
    const unsized = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, descriptor, 1, 0, 0]);
    expect(() => checkFrame(unsized, block.length, 1048576)).toThrow(/window of 8388608 bytes/);
  });

  it('refuses an empty block at the end, as node:zlib leaves it', async () => {
    const whole = text(1048576, 0);
    const params = { [constants.ZSTD_c_compressionLevel]: 19 };
    const frame = await promisify(zstdCompress)(whole, { params, pledgedSrcSize: whole.length });
    expect(() => checkFrame(frame, whole.length, whole.length)).toThrow(/ends with an empty block/);
  });

  it('refuses a frame that was cut', async () => {
    const frame = await zstdCompressor(19)(block);
    expect(() => checkFrame(frame.subarray(0, -1), block.length, 131072)).not.toThrow();
    expect(() => checkFrame(frame.subarray(0, 8), block.length, 131072)).toThrow(/does not end/);
  });

  it('refuses a dictionary', () => {
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x21, 7, 1, 1, 0, 0]);
    expect(() => checkFrame(frame, 1, 131072)).toThrow(/needs a dictionary/);
  });

  it.each([Buffer.alloc(0), Buffer.from('not a frame'), Buffer.from([0x28, 0xb5, 0x2f, 0xfd])])(
    'refuses what is no frame: %o',
    (frame) => {
      expect(() => checkFrame(frame, 8192, 131072)).toThrow(/did not return a zstd frame/);
    },
  );
});
