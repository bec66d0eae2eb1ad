import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../errors.ts';
import { isXz, xzDecompress } from './xz.ts';

const xz = (bytes: Uint8Array, ...args: string[]) =>
  new Uint8Array(execFileSync('xz', ['-c', ...args], { input: bytes, maxBuffer: 2 ** 28 }));
const sample = new TextEncoder().encode('All happy families are alike. '.repeat(9000));

describe('xzDecompress', () => {
  test.each([
    ['as dpkg writes it', ['-6']],
    ['as the kernel writes modules', ['--check=crc32', '--lzma2=dict=1MiB']],
    ['with a 64-bit checksum', ['--check=crc64']],
    ['without a checksum', ['--check=none']],
    ['of several blocks', ['--block-size=65536']],
    ['with a large dictionary', ['-9e']],
  ])('unpacks a file %s', async (_what, args) => {
    expect(await xzDecompress(xz(sample, ...args))).toEqual(sample);
  });

  test('unpacks the empty file', async () => {
    expect(await xzDecompress(xz(new Uint8Array()))).toEqual(new Uint8Array());
  });

  test('unpacks any bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 70_000, size: 'max' }), async (bytes) => {
        expect(await xzDecompress(xz(bytes))).toEqual(bytes);
      }),
      { numRuns: 20 },
    );
  });

  test('many at the same time do not disturb one another', async () => {
    const files = Array.from({ length: 20 }, (_, i) => sample.subarray(0, 1000 * i));
    const packed = files.map((file) => xz(file));
    packed[7] = (packed[7] ?? sample).slice(0, 40); // one that fails must not block the others
    const results = await Promise.allSettled(packed.map((file) => xzDecompress(file)));
    results.forEach((result, i) => {
      if (i === 7) expect(result.status).toBe('rejected');
      else expect(result).toEqual({ status: 'fulfilled', value: files[i] });
    });
  });

  test('refuses a second stream instead of dropping it', async () => {
    const [long, short] = [xz(sample), xz(sample.subarray(0, 10))];
    for (const two of [Buffer.concat([long, short]), Buffer.concat([short, long])]) {
      await expect(xzDecompress(two)).rejects.toThrow('does not have the length');
    }
  });

  test('refuses to unpack more than it is allowed to, before unpacking', async () => {
    const bomb = xz(new Uint8Array(2 ** 24));
    await expect(xzDecompress(bomb, { maxBytes: 2 ** 20 })).rejects.toThrow('unpacks to 16777216 bytes');
  });

  test('refuses an index that lies', async () => {
    const long = xz(sample, '--check=crc32');
    const lying = long.slice();
    const index = lying.length - 12 - (new DataView(lying.buffer).getUint32(lying.length - 8, true) + 1) * 4;
    const size = lying.subarray(index + 2).findIndex((byte) => byte < 0x80) + index + 3;
    lying[size] = (lying[size] ?? 0) ^ 1;
    await expect(xzDecompress(lying)).rejects.toThrow(FormatError);
  });

  test('a flipped bit in the data is found by its CRC32', async () => {
    const noise = Uint8Array.from({ length: 5000 }, (_, i) => (i * 2654435761) >>> 24);
    const file = xz(noise, '--check=crc32');
    const middle = file.length >> 1;
    file[middle] = (file[middle] ?? 0) ^ 4;
    await expect(xzDecompress(file)).rejects.toThrow('xz: the data is corrupt');
  });

  test('bytes from anywhere give a result or a FormatError, and the next call still works', async () => {
    const good = xz(sample.subarray(0, 3000));
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.uint8Array(), fc.constant(good)),
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 }),
        fc.nat(good.length),
        async (bytes, edits, cut) => {
          const bad = bytes.slice(0, bytes === good && edits.length > 0 ? good.length : cut);
          for (const [at, value] of edits) if (at < bad.length) bad[at] = value;
          await xzDecompress(bad, { maxBytes: 2 ** 20 }).catch((error) => {
            expect(error).toBeInstanceOf(FormatError);
          });
        },
      ),
      { numRuns: 500 },
    );
    expect(await xzDecompress(good)).toEqual(sample.subarray(0, 3000));
  });
});

test('isXz looks at the magic bytes', () => {
  expect(isXz(xz(sample))).toBe(true);
  expect(isXz(new Uint8Array([0xfd, 0x37]))).toBe(false);
});
