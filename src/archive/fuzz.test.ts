import { hash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FwError } from '../errors.ts';
import { TAR_END_SIZE } from '../formats/tar.ts';
import type { Manifest } from './manifest.ts';
import { openFirmware } from './open.ts';
import {
  build,
  type Collected,
  collect,
  inPieces,
  joinParts,
  newSigner,
  type Parts,
  part,
  resign,
  sampleInput,
  signBytes,
  split,
} from './test-firmware.ts';

/** A6: whatever is altered, both readers say so, with an FwError, having handed on only what was signed. */
const signer = newSigner();
const options = { trust: [signer.publicKey] };
const tiny = await build(sampleInput(signer, { root: 40, boot: 60 }), signer);
const firmware = await build(sampleInput(signer, { root: 150_000, boot: 200_000 }), signer);
const original = await collect([firmware], options);
let path: string;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-fuzz-'));
  path = join(folder, 'fuzz.fw');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What a reader made of it: the error, or undefined when it was content. Anything but an FwError is thrown on. */
async function fault(read: () => Promise<unknown>): Promise<FwError | undefined> {
  try {
    await read();
    return undefined;
  } catch (error) {
    if (error instanceof FwError) return error;
    throw error;
  }
}
async function readFile(): Promise<void> {
  await using file = await openFirmware(path, options);
  await file.verify();
}
async function expectRefused(bytes: Buffer): Promise<void> {
  const seen: Collected = { manifest: undefined, payloads: {} };
  expect(await fault(() => collect(inPieces(bytes, 65_536), options, seen))).toBeInstanceOf(FwError);
  for (const [name, got] of Object.entries(seen.payloads)) {
    expect(original.payloads[name]?.subarray(0, got.length).equals(got)).toBe(true);
  }
  await writeFile(path, bytes);
  expect(await fault(readFile)).toBeInstanceOf(FwError);
}

test('there is no byte that may be changed', async () => {
  for (let at = 0; at < tiny.length; at++) {
    const altered = Buffer.from(tiny);
    // A different bit for each byte, so that letters change case, digits become other digits, and so on.
    altered[at] = (altered[at] ?? 0) ^ (1 << ((at * 5) % 8));
    const error = await fault(() => collect([altered], options));
    if (!error) expect.fail(`byte ${at} of ${tiny.length} may be changed`);
  }
}, 60_000);

test('there is no byte at which it may end', async () => {
  for (let length = 0; length < tiny.length; length += 41) {
    const error = await fault(() => collect([tiny.subarray(0, length)], options));
    expect(error?.code, `${length} bytes`).toBe('fw-truncated');
  }
});

describe('at random', () => {
  const parts = split(firmware);
  const position = fc.integer({ min: 0, max: firmware.length - 1 });
  const index = fc.nat({ max: parts.length - 1 });
  /** Most of the file is payload; faults in the small members must not be rare. */
  const early = fc.integer({ min: 0, max: 6000 });
  const somewhere = fc.oneof(position, early);

  const flip = fc
    .array(fc.tuple(somewhere, fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 4 })
    .map((flips) => {
      const bytes = Buffer.from(firmware);
      for (const [at, mask] of flips) bytes[at] = (bytes[at] ?? 0) ^ mask;
      return bytes;
    });
  const truncate = somewhere.map((length) => firmware.subarray(0, length));
  const extend = fc
    .uint8Array({ minLength: 1, maxLength: 2000 })
    .map((tail) => Buffer.concat([firmware, tail]));
  const insert = fc
    .tuple(somewhere, fc.uint8Array({ minLength: 1, maxLength: 1024 }))
    .map(([at, bytes]) => Buffer.concat([firmware.subarray(0, at), bytes, firmware.subarray(at)]));
  const cutOut = fc
    .tuple(somewhere, fc.integer({ min: 1, max: 2048 }))
    .map(([at, length]) => Buffer.concat([firmware.subarray(0, at), firmware.subarray(at + length)]));
  const copyWithin = fc
    .tuple(somewhere, somewhere, fc.integer({ min: 1, max: 1024 }))
    .map(([to, from, length]) => {
      const bytes = Buffer.from(firmware);
      bytes.copyWithin(to, from, from + length);
      return bytes;
    });
  const swap = fc.tuple(index, index).map(([a, b]) => {
    const swapped: Parts[] = [...parts];
    [swapped[a], swapped[b]] = [parts[b] ?? part('x', ''), parts[a] ?? part('x', '')];
    return joinParts(swapped);
  });
  const duplicate = fc
    .tuple(index, index)
    .map(([a, b]) => joinParts(parts.toSpliced(a, 0, ...parts.slice(b, b + 1))));
  const remove = index.map((at) => joinParts(parts.toSpliced(at, 1)));
  const lie = fc.tuple(index, fc.integer({ min: -600, max: 600 })).map(([at, by]) => {
    const found = parts[at] ?? part('x', '');
    const size = Math.max(0, found.content.length + by);
    return joinParts(parts.with(at, { ...found, header: part(found.name, Buffer.alloc(size)).header }));
  });
  const resized = fc.tuple(index, fc.uint8Array({ maxLength: 400 })).map(([at, content]) => {
    const found = parts[at] ?? part('x', '');
    return joinParts(parts.with(at, part(found.name, content)));
  });

  test('damage and forgery are refused', async () => {
    const any = fc.oneof(
      flip,
      truncate,
      extend,
      insert,
      cutOut,
      copyWithin,
      swap,
      duplicate,
      remove,
      lie,
      resized,
    );
    await fc.assert(
      fc.asyncProperty(any, async (bytes) => {
        fc.pre(!bytes.equals(firmware));
        await expectRefused(bytes);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  test('bytes that never were a firmware are refused', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), (bytes) => expectRefused(Buffer.from(bytes))),
    );
  });
});

describe('a holder of the key who signs nonsense', () => {
  const [manifestPart, , tablePart] = split(tiny);
  const manifestBytes = manifestPart?.content ?? Buffer.alloc(0);
  const table = tablePart?.content ?? Buffer.alloc(0);

  /** Refused, or read to a file that is consistent in itself. Never a crash, never more bytes than there are. */
  async function expectSane(bytes: Buffer): Promise<void> {
    const seen: Collected = { manifest: undefined, payloads: {} };
    const error = await fault(() => collect([bytes], options, seen));
    const delivered = Object.values(seen.payloads).reduce((sum, each) => sum + each.length, 0);
    expect(delivered).toBeLessThan(5000);
    if (error) return;
    for (const payload of seen.manifest?.payloads ?? []) {
      expect(seen.payloads[payload.name]?.length).toBe(payload.size);
    }
  }

  test('in the manifest', async () => {
    const damaged = fc.tuple(fc.nat({ max: manifestBytes.length - 1 }), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(damaged, { minLength: 1, maxLength: 3 }), async (changes) => {
        const bytes = Buffer.from(manifestBytes);
        for (const [at, value] of changes) bytes[at] = value;
        const signature = part('manifest.json.sig', await signBytes(bytes, signer));
        await expectSane(joinParts([part('manifest.json', bytes), signature, ...split(tiny).slice(2)]));
      }),
      { numRuns: 150 },
    );
  });

  test('in any field of the manifest', async () => {
    const paths = leaves(JSON.parse(manifestBytes.toString()));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue(), async (keys, value) => {
        await expectSane(await resign(tiny, signer, (manifest) => replaceAt(manifest, keys, value)));
      }),
      { numRuns: 300 },
    );
  });

  test('in the chunk table', async () => {
    const change = fc.tuple(fc.nat({ max: table.length - 1 }), fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const bytes = Buffer.from(table);
        for (const [at, value] of changes) bytes[at] = value;
        const altered = joinParts(
          split(tiny).map((each) => (each.name === 'chunks' ? part('chunks', bytes) : each)),
        );
        await expectSane(
          await resign(altered, signer, (manifest: Manifest) => {
            manifest.chunks.sha256 = hash('sha256', bytes, 'hex');
          }),
        );
      }),
      { numRuns: 150 },
    );
  });

  test('the helpers really make what the reader takes', async () => {
    expect(await fault(() => collect([joinParts(split(tiny))], options))).toBeUndefined();
    expect(joinParts(split(firmware)).equals(firmware)).toBe(true);
    expect(firmware.subarray(-TAR_END_SIZE).every((byte) => byte === 0)).toBe(true);
    expect((await resign(tiny, signer, () => {})).equals(tiny)).toBe(true);
  });
});

type Path = (string | number)[];

function leaves(value: unknown, path: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [path];
  const entries: [string | number, unknown][] = Array.isArray(value)
    ? [...value.entries()]
    : Object.entries(value);
  return [path, ...entries.flatMap(([key, inner]) => leaves(inner, [...path, key]))];
}

function replaceAt(value: unknown, [key, ...rest]: Path, replacement: unknown): unknown {
  if (key === undefined) return replacement;
  if (Array.isArray(value)) return value.with(Number(key), replaceAt(value[Number(key)], rest, replacement));
  return Object.fromEntries(
    Object.entries(Object(value)).map(([name, inner]) => [
      name,
      name === key ? replaceAt(inner, rest, replacement) : inner,
    ]),
  );
}
