import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { EXAMPLE_PUBLIC_KEY } from './example-key.ts';
import type { Signer } from './signer.ts';
import type { ChunkCache } from './stored.ts';
import { build, collect, inPieces, newSigner, noise, sampleInput, split } from './test-firmware.ts';
import { type FirmwareInput, type PayloadInput, writeFirmware } from './write.ts';

const signer = newSigner();
const KiB = 1024;

function withPayload(payload: Partial<PayloadInput>): FirmwareInput {
  const input = sampleInput(signer);
  return {
    ...input,
    payloads: [{ name: 'root', pieces: [noise(700 * KiB)], storage: { encoding: 'raw' }, ...payload }],
  };
}
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
class MemoryCache implements ChunkCache {
  entries = new Map<string, Uint8Array>();
  hits = 0;
  async get(key: string) {
    const found = this.entries.get(key);
    if (found) this.hits++;
    return found;
  }
  async put(key: string, value: Uint8Array) {
    this.entries.set(key, value);
  }
}

describe('writing', () => {
  test('tells size, hash and manifest of what it wrote', async () => {
    const hash = createHash('sha256');
    let size = 0;
    const written = await writeFirmware(sampleInput(signer), signer, async (bytes) => {
      hash.update(bytes);
      size += bytes.length;
    });
    expect(written).toMatchObject({ size, sha256: hash.digest('hex'), uuid: sampleInput(signer).uuid });
    expect(written.manifest).toMatchObject({ product: 'hello', exampleKey: false });
  });

  test('same input, same bytes, however it comes in', async () => {
    const content = noise(700 * KiB);
    const bytesOf = async (input: FirmwareInput) => sha256(await build(input, signer));
    const whole = await bytesOf(withPayload({ pieces: [content] }));
    const pieces = [...inPieces(content, 70_001)];
    expect(await bytesOf(withPayload({ pieces }))).toBe(whole);
    const lazy = { size: content.length, open: () => inPieces(content, 9_999) };
    expect(await bytesOf(withPayload({ pieces: lazy }))).toBe(whole);
    const { payloads, product, ...rest } = withPayload({});
    expect(await bytesOf({ payloads, ...rest, product })).toBe(whole);
  });

  test('zstd payloads come back, and their cached frames give the same bytes', async () => {
    const content = Buffer.concat([noise(300 * KiB), Buffer.alloc(900 * KiB, 'text ')]);
    const input = withPayload({
      pieces: [...inPieces(content, 33_333)],
      storage: { encoding: 'zstd', level: 5 },
    });
    const cache = new MemoryCache();
    const out: Uint8Array[][] = [[], []];
    for (const pieces of out) {
      await writeFirmware(input, signer, async (bytes) => void pieces.push(bytes), { cache });
    }
    const [first, second] = out.map((pieces) => Buffer.concat(pieces));
    expect(second?.equals(first ?? Buffer.alloc(0))).toBe(true);
    expect(second?.equals(await build(input, signer))).toBe(true);
    // 1200 KiB in chunks of 256, all different, all found the second time.
    expect(cache.hits).toBe(5);
    const { payloads } = await collect([first ?? Buffer.alloc(0)], { trust: [signer.publicKey] });
    expect(payloads.root?.equals(content)).toBe(true);
    expect(first?.length).toBeLessThan(310 * KiB);
  });

  test('the level matters to the cache', async () => {
    const cache = new MemoryCache();
    for (const level of [1, 19]) {
      const input = withPayload({ storage: { encoding: 'zstd', level } });
      await writeFirmware(input, signer, async () => {}, { cache });
    }
    expect(cache.hits).toBe(0);
  });

  test('the members stand in their one order', async () => {
    const names = split(await build(sampleInput(signer), signer)).map(({ name }) => name);
    expect(names).toEqual(['manifest.json', 'manifest.json.sig', 'chunks', 'payload/boot', 'payload/root']);
  });
});

describe('refuses to write', () => {
  const nothing = async () => {
    throw new Error('something was written');
  };
  const refuse = (input: FirmwareInput, code: string, by: Signer = signer) =>
    expect(writeFirmware(input, by, nothing)).rejects.toMatchObject({ code });

  test('a firmware that its own key could not update, or that mixes the example key in', async () => {
    await refuse(sampleInput(newSigner('other')), 'fw-signer-not-trusted-by-itself');
    const input = sampleInput(signer);
    await refuse({ ...input, trustedKeys: [] }, 'fw-no-trusted-keys');
    await refuse({ ...input, trustedKeys: [signer.publicKey, EXAMPLE_PUBLIC_KEY] }, 'fw-example-key-mixed');
  });

  test('a manifest that no reader would take', async () => {
    await refuse({ ...sampleInput(signer), version: 'latest' }, 'fw-manifest-invalid');
    await refuse(withPayload({ name: '../root' }), 'fw-manifest-invalid');
    await refuse(withPayload({ pieces: [] }), 'fw-manifest-invalid');
    await refuse(withPayload({ slotSize: 100 }), 'fw-manifest-invalid');
    await refuse({ ...sampleInput(signer), payloads: [] }, 'fw-manifest-invalid');
    await refuse({ ...sampleInput(signer), ...{ surprise: 1 } }, 'fw-manifest-invalid');
  });

  test('a variant that is not there', async () => {
    const variants = [{ offset: 0, a: Buffer.from('a'), b: Buffer.from('b') }];
    await refuse(withPayload({ pieces: [Buffer.from('xyz')], variants }), 'fw-variant-mismatch');
  });

  test('with a signer whose key does not belong to its public half', async () => {
    await refuse(sampleInput(signer), 'signer-failed', { ...signer, sign: newSigner().sign });
    await refuse(sampleInput(signer), 'signer-failed', { ...signer, sign: async () => Buffer.alloc(3) });
  });

  test('a lazy payload that is not as long as it says', async () => {
    for (const size of [99, 101]) {
      const pieces = { size, open: () => [noise(100)] };
      await refuse(withPayload({ pieces }), 'payload-changed');
    }
  });

  test('a lazy payload that changes between its two readings', async () => {
    let opened = 0;
    const pieces = { size: 100, open: () => [noise(100, `${opened++}`)] };
    await expect(build(withPayload({ pieces }), signer)).rejects.toMatchObject({ code: 'payload-changed' });
  });

  test("the sink's own errors come through", async () => {
    await expect(writeFirmware(sampleInput(signer), signer, nothing)).rejects.toThrow(
      'something was written',
    );
  });
});
