import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FirmwareFile, openFirmware } from './open.ts';
import { payloadReader } from './payload-reader.ts';
import { build, newSigner, noise, sampleInput } from './test-firmware.ts';

const SIZE = 3_000_000;
let folder: string;
let path: string;
let fw: FirmwareFile;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-payload-'));
  path = join(folder, 'x.fw');
  const signer = newSigner();
  await writeFile(path, await build(sampleInput(signer, { root: SIZE, boot: 900_000 }), signer));
  fw = await openFirmware(path, { trust: 'self' });
});
afterAll(async () => {
  await fw.close();
  await rm(folder, { recursive: true });
});

test('gives what is at a place, over the borders of chunks, stored raw or compressed, and ends where it ends', async () => {
  expect(fw.chunks('root').length).toBeGreaterThan(8);
  const whole = { root: noise(SIZE), boot: Buffer.alloc(900_000, 'boot hearth.slot=a ') };
  for (const name of ['root', 'boot'] as const) {
    const read = payloadReader(fw, name);
    const { length: size } = whole[name];
    await fc.assert(
      fc.asyncProperty(fc.nat(size + 10), fc.oneof(fc.nat(100), fc.nat(size)), async (offset, length) => {
        const expected = whole[name].subarray(offset, offset + length);
        expect(Buffer.compare(await read(offset, length), expected)).toBe(0);
      }),
      { numRuns: 60 },
    );
  }
});

test('gives no byte of a chunk that was altered', async () => {
  const read = payloadReader(fw, 'root');
  const file = await open(path, 'r+');
  try {
    const bytes = noise(SIZE).subarray(1_500_000, 1_500_032);
    const { buffer } = await file.read(Buffer.alloc(fw.size), 0, fw.size, 0);
    await file.write(Buffer.from([(bytes[0] ?? 0) ^ 1]), 0, 1, buffer.indexOf(bytes));
  } finally {
    await file.close();
  }
  await expect(read(1_500_001, 1)).rejects.toThrow(expect.objectContaining({ code: 'fw-chunk-altered' }));
  expect((await read(0, 16)).length).toBe(16);
});
