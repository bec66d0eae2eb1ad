import { hash } from 'node:crypto';
import { zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Chunk } from './chunk-table.ts';
import type { Encoding, Payload } from './manifest.ts';
import { noise } from './test-firmware.ts';
import { unpackChunk } from './unpack.ts';
import { compressChunk } from './zstd.ts';

const raw = Buffer.concat([noise(2000), Buffer.alloc(2000)]);
const payloadOf = (encoding: Encoding, size: number): Payload => ({
  name: 'boot',
  size: raw.length,
  digest: '',
  chunks: 1,
  stored: { encoding, size },
});

/** Unpacks `stored` as the chunk that a table with right hashes for `stored` and for `raw` describes. */
function unpack(
  stored: Uint8Array,
  encoding: Encoding = 'zstd',
  change: Partial<Chunk> = {},
): Promise<Uint8Array> {
  const chunk: Chunk = {
    offset: 0,
    size: raw.length,
    storedOffset: 0,
    storedSize: stored.length,
    sha256: hash('sha256', raw, 'buffer'),
    storedSha256: hash('sha256', stored, 'buffer'),
    ...change,
  };
  return unpackChunk(stored, payloadOf(encoding, stored.length), chunk, 0);
}

describe('a chunk', () => {
  test('stored as it is, or as a zstd frame, comes back', async () => {
    expect(await unpack(raw, 'raw')).toBe(raw);
    expect(Buffer.from(await unpack(await compressChunk(raw, 19)))).toEqual(raw);
  });

  test.each(['raw', 'zstd'] as const)(
    '%s: with another hash is refused before anything decodes it',
    async (encoding) => {
      const bomb = zstdCompressSync(Buffer.alloc(1 << 20));
      await expect(unpack(bomb, encoding, { storedSha256: Buffer.alloc(32) })).rejects.toMatchObject({
        code: 'fw-chunk-altered',
        where: 'payload/boot, chunk 0, byte 0',
      });
    },
  );

  // Signed by a broken or hostile writer: the stored hash is right.
  test.each([
    ['other content', zstdCompressSync(Buffer.alloc(raw.length))],
    ['less content', zstdCompressSync(raw.subarray(1))],
    ['more content', zstdCompressSync(Buffer.concat([raw, raw]))],
    ['64 MiB of zeros', zstdCompressSync(Buffer.alloc(1 << 26))],
    ['half a frame', zstdCompressSync(raw).subarray(0, 1000)],
    ['no frame', noise(100)],
    ['a frame and junk', Buffer.concat([zstdCompressSync(raw), noise(5)])],
    ['a frame and another', Buffer.concat([zstdCompressSync(raw), zstdCompressSync(raw)])],
  ])('%s is refused', async (_, stored) => {
    await expect(unpack(stored)).rejects.toMatchObject({ code: 'fw-chunk-undecodable' });
  });
});
