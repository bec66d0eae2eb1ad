import { createHash, hash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { byTurns } from '../update/pipeline.ts';
import { TARGET_CHUNK } from './cut.ts';
import { openFirmware } from './open.ts';
import { readFirmware, UNPACKED_AT_ONCE } from './read.ts';
import { build, collect, inPieces, newSigner, noise, sampleInput } from './test-firmware.ts';

const KiB = 1024;
const signer = newSigner();
const options = { trust: [signer.publicKey] };
const firmware = await build(sampleInput(signer, { root: 600 * KiB, boot: 300 * KiB }), signer);
const original = await collect([firmware], options);
let folder: string;
let path: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-archive-'));
  path = join(folder, 'whole.fw');
  await writeFile(path, firmware);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Comparing hashes is much faster than comparing large buffers. */
async function digests(source: Iterable<Uint8Array>): Promise<unknown> {
  const { manifest, payloads } = await collect(source, options);
  return [manifest, Object.entries(payloads).map(([name, bytes]) => [name, hash('sha256', bytes)])];
}

describe('a whole firmware', () => {
  test('comes back, however it is cut into pieces', async () => {
    for (const length of [511, 4096, 100_000, 1 << 20]) {
      expect(await digests(inPieces(firmware, length))).toEqual(await digests([firmware]));
    }
    expect(original.payloads.root?.equals(noise(600 * KiB))).toBe(true);
    expect(original.payloads.boot).toHaveLength(300 * KiB);
  });

  test('byte by byte, too', async () => {
    const small = await build(sampleInput(signer), signer);
    expect((await collect(inPieces(small, 1), options)).payloads.root).toEqual(noise(1100));
  });

  test('can be opened and read in any order', async () => {
    await using file = await openFirmware(path, options);
    expect(file.manifest).toEqual(original.manifest);
    expect(file.size).toBe(firmware.length);
    expect(file.signer).toContain('ssh-ed25519 ');
    const chunks = file.chunks('root');
    expect(chunks.length).toBeGreaterThan(1);
    for (const index of [chunks.length - 1, 0]) {
      const { offset, bytes } = await file.readChunk('root', index);
      expect(original.payloads.root?.subarray(offset, offset + bytes.length).equals(bytes)).toBe(true);
    }
    const rest: Uint8Array[] = [];
    for await (const { bytes } of file.read('root', 1)) rest.push(bytes);
    expect(original.payloads.root?.subarray(chunks[1]?.offset).equals(Buffer.concat(rest))).toBe(true);
    expect(() => file.payload('loader')).toThrow(expect.objectContaining({ code: 'fw-payload-missing' }));
    await file.verify();
  });

  test('the reader lets its source go when its user stops', async () => {
    let closed = false;
    async function* source() {
      try {
        yield* inPieces(firmware, 4096);
      } finally {
        closed = true;
      }
    }
    for await (const event of readFirmware(source(), options)) if (event.type === 'chunk') break;
    expect(closed).toBe(true);
  });

  test('what the source throws comes through', async () => {
    async function* source() {
      yield firmware.subarray(0, 5000);
      throw new RangeError('the network is gone');
    }
    await expect(collect(source(), options)).rejects.toThrow(new RangeError('the network is gone'));
  });

  test('a file that is not there, or a folder', async () => {
    await expect(openFirmware(join(folder, 'none.fw'), options)).rejects.toMatchObject({
      code: 'fw-missing',
    });
    await expect(openFirmware(folder, options)).rejects.toMatchObject({ code: 'fw-missing' });
  });

  test('memory stays bounded: the reader pulls no more than the few chunks it is about to hand on', async () => {
    const large = await build(sampleInput(signer, { root: 3000 * KiB }), signer);
    let pulled = 0;
    let delivered = 0;
    function* source() {
      for (const piece of inPieces(large, 16 * KiB)) {
        pulled += piece.length;
        yield piece;
      }
    }
    for await (const event of readFirmware(source(), options)) {
      if (event.type === 'chunk') delivered += event.bytes.length;
      expect(pulled - delivered).toBeLessThan(UNPACKED_AT_ONCE * TARGET_CHUNK + 40 * KiB);
    }
    expect(delivered).toBeGreaterThan(3000 * KiB);
  });

  test('whoever is done with a chunk at once needs no more places than are in use', async () => {
    const large = await build(sampleInput(signer, { root: 3000 * KiB }), signer);
    const root = createHash('sha256');
    const source = inPieces(large, 16 * KiB);
    for await (const event of readFirmware(source, options, byTurns(UNPACKED_AT_ONCE)))
      if (event.type === 'chunk' && event.payload.name === 'root') root.update(event.bytes);
    expect(root.digest('hex')).toBe(hash('sha256', noise(3000 * KiB)));
  });

  test('of one that ends early, all that came whole is handed on first', async () => {
    const large = await build(sampleInput(signer, { root: 3000 * KiB }), signer);
    const there: number[] = [];
    const read = async (): Promise<void> => {
      for await (const event of readFirmware([large.subarray(0, 2000 * KiB)], options))
        if (event.type === 'chunk' && event.payload.name === 'root')
          there.push(event.offset + event.bytes.length);
    };
    await expect(read()).rejects.toMatchObject({ code: 'fw-truncated' });
    const whole = Math.floor((2000 * KiB - (large.length - 3000 * KiB)) / TARGET_CHUNK);
    expect(there).toEqual(Array.from({ length: whole }, (_, at) => (at + 1) * TARGET_CHUNK));
  });
});
