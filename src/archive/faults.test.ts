import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tarHeader } from '../formats/tar.ts';
import { EXAMPLE_PUBLIC_KEY } from './example-key.ts';
import { openFirmware } from './open.ts';
import type { readFirmware } from './read.ts';
import { armorSignature, parseSignature } from './sshsig.ts';
import {
  build,
  type Collected,
  collect,
  inPieces,
  joinParts,
  newSigner,
  noise,
  type Parts,
  part,
  resign,
  sampleInput,
  signBytes,
  split,
} from './test-firmware.ts';

/** Class A of the faults: a bad artifact. */
const KiB = 1024;
const signer = newSigner();
const options = { trust: [signer.publicKey] };
const firmware = await build(sampleInput(signer, { root: 600 * KiB, boot: 300 * KiB }), signer);
const original = await collect([firmware], options);
const parts = split(firmware);
let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-archive-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function save(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${count++}.fw`);
  await writeFile(path, bytes);
  return path;
}

/** Both readers refuse, with this code, having handed on nothing but the original's bytes. */
async function refuse(
  bytes: Buffer,
  code: string,
  opts: Parameters<typeof readFirmware>[1] = options,
): Promise<void> {
  const seen: Collected = { manifest: undefined, payloads: {} };
  await expect(collect(inPieces(bytes, 100_000), opts, seen)).rejects.toMatchObject({ code });
  for (const [name, got] of Object.entries(seen.payloads)) {
    expect(original.payloads[name]?.subarray(0, got.length).equals(got)).toBe(true);
  }
  const opening = async () => {
    await using file = await openFirmware(await save(bytes), opts);
    await file.verify();
  };
  await expect(opening()).rejects.toMatchObject({ code });
}
function replaced(name: string, by: Parts): Buffer {
  return joinParts(parts.map((each) => (each.name === name ? by : each)));
}
function flipped(name: string, at: number): Buffer {
  const found = parts.find((each) => each.name === name);
  const content = Buffer.from(found?.content ?? '');
  content[at] = (content[at] ?? 0) ^ 1;
  return replaced(name, part(name, content));
}
/** A header whose checksum is right, and a field that is not. */
function header(name: string, size: number, change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(tarHeader(name, size));
  change(bytes);
  bytes.fill(' ', 148, 156);
  const sum = bytes.reduce((a, b) => a + b, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

describe('A1: signatures', () => {
  const manifest = parts[0]?.content ?? Buffer.alloc(0);
  const bySomeoneElse = async () =>
    replaced('manifest.json.sig', part('manifest.json.sig', await signBytes(manifest, newSigner())));

  test('unsigned', async () => {
    await refuse(joinParts(parts.filter(({ name }) => name !== 'manifest.json.sig')), 'fw-unsigned');
    await refuse(replaced('manifest.json.sig', part('manifest.json.sig', '')), 'fw-unsigned');
    await refuse(joinParts(parts.slice(0, 1)), 'fw-unsigned');
  });
  test('wrong key', async () => {
    await refuse(await bySomeoneElse(), 'fw-key-not-trusted');
    await refuse(await bySomeoneElse(), 'fw-signer-not-trusted-by-itself', { trust: 'self' });
  });
  test('key not trusted any more', () =>
    refuse(firmware, 'fw-key-not-trusted', { trust: [newSigner().publicKey] }));
  test('no key configured', () => refuse(firmware, 'fw-no-trusted-keys', { trust: [] }));
  test('manifest altered', () => refuse(flipped('manifest.json', 40), 'fw-signature-wrong'));
  test('signature altered', async () => {
    const { key, bytes } = parseSignature(parts[1]?.content ?? Buffer.alloc(0));
    const other = Buffer.from(bytes);
    other[63] = (other[63] ?? 0) ^ 1;
    const armored = armorSignature({ key, bytes: other });
    await refuse(replaced('manifest.json.sig', part('manifest.json.sig', armored)), 'fw-signature-wrong');
    await refuse(flipped('manifest.json.sig', 35), 'bad-ssh-signature');
  });
  test('good signature over a wrong checksum', async () => {
    const wrong = await resign(firmware, signer, (m) => {
      m.chunks.sha256 = '00'.repeat(32);
    });
    await refuse(wrong, 'fw-chunk-table-altered');
  });
  test('good signature over a table that contradicts the manifest', async () => {
    const wrong = await resign(firmware, signer, (m) => {
      const root = m.payloads[1];
      if (root) root.digest = '00'.repeat(32);
    });
    await refuse(wrong, 'fw-chunk-table-invalid');
  });
  test('chunk table altered', () => refuse(flipped('chunks', 100), 'fw-chunk-table-altered'));
  test('payload altered', async () => {
    await refuse(flipped('payload/root', 599 * KiB), 'fw-chunk-altered');
    await refuse(flipped('payload/boot', 3), 'fw-chunk-altered');
  });
  test('two manifests', async () => {
    const [first, second] = parts;
    if (!first || !second) throw new Error('no parts');
    await refuse(joinParts([first, ...parts]), 'fw-member-duplicate');
    await refuse(joinParts([first, second, ...parts]), 'fw-member-duplicate');
    await refuse(joinParts([...parts, first]), 'fw-member-duplicate');
  });
  test('a key twice in the manifest: two readers, two meanings', async () => {
    const twice = await resign(
      firmware,
      signer,
      (m) => m,
      (value) => `${JSON.stringify(value, null, 2).replace('"target"', '"target": "x86_64",\n  "target"')}\n`,
    );
    await refuse(twice, 'fw-manifest-invalid');
  });
  test('the example key, hidden or claimed', async () => {
    const claim = await resign(firmware, signer, (m) => {
      m.exampleKey = true;
    });
    await refuse(claim, 'fw-example-key-claimed');
    const mixed = await resign(firmware, signer, (m) => {
      m.trustedKeys.push(EXAMPLE_PUBLIC_KEY);
    });
    await refuse(mixed, 'fw-example-key-mixed');
  });
  test('a newer format', async () => {
    await refuse(await resign(firmware, signer, (m) => ({ ...m, format: 2 })), 'fw-format-newer');
  });
});

describe('A3: sizes', () => {
  test('empty, and not a firmware', async () => {
    await refuse(Buffer.alloc(0), 'fw-truncated');
    await refuse(Buffer.alloc(100_000), 'fw-not-firmware');
    await refuse(noise(100_000), 'fw-not-firmware');
  });
  test('an oversized manifest or signature is refused by its header alone', async () => {
    await refuse(tarHeader('manifest.json', 1024 * KiB + 1), 'fw-manifest-too-large');
    const sig = tarHeader('manifest.json.sig', 16 * KiB + 1);
    const [first] = parts;
    if (!first) throw new Error('no parts');
    const start = firmware.subarray(0, 512 + Math.ceil(first.content.length / 512) * 512);
    await refuse(Buffer.concat([start, sig]), 'fw-signature-too-large');
  });
  test('shorter than declared: says how many bytes were expected', async () => {
    for (const length of [firmware.length - 1, firmware.length - 1025, firmware.length >> 1]) {
      await refuse(firmware.subarray(0, length), 'fw-truncated');
    }
    const reading = collect([firmware.subarray(0, firmware.length - 1)], options);
    await expect(reading).rejects.toMatchObject({ expected: `${firmware.length} bytes` });
  });
  test('longer than declared', async () => {
    await refuse(Buffer.concat([firmware, Buffer.alloc(1)]), 'fw-trailing-data');
    await refuse(Buffer.concat([firmware, firmware]), 'fw-trailing-data');
  });
  test('endless data is refused at its first byte', async () => {
    let pulled = 0;
    async function* source() {
      yield firmware;
      for (;;) {
        pulled++;
        yield noise(1000);
      }
    }
    await expect(collect(source(), options)).rejects.toMatchObject({ code: 'fw-trailing-data' });
    expect(pulled).toBe(1);
  });
  test('a payload longer or shorter than its signed size', async () => {
    const root = parts.at(-1)?.content ?? Buffer.alloc(0);
    await refuse(
      replaced('payload/root', part('payload/root', Buffer.concat([root, root]))),
      'fw-member-size',
    );
    await refuse(replaced('payload/root', part('payload/root', root.subarray(1))), 'fw-member-size');
    await refuse(replaced('chunks', part('chunks', Buffer.alloc(16))), 'fw-member-size');
  });
});

describe('A4: members', () => {
  const extra = (name: string, change: (bytes: Buffer) => void = () => {}) =>
    joinParts([...parts, { name, header: header(name, 0, change), content: Buffer.alloc(0) }]);

  test.each(['/etc/passwd', '../../etc/passwd', 'payload/../../x', '..\\x'])('path traversal: %s', (name) =>
    refuse(extra(name), 'fw-member-unsafe'),
  );
  test.each(['1', '2', '3', '5', 'x', 'L'])('tar type %s', (type) =>
    refuse(
      extra('payload/link', (bytes) => {
        bytes.write(type, 156);
        bytes.write('/etc/passwd', 157);
      }),
      'fw-member-type',
    ),
  );
  test('a link in the place of a member', () =>
    refuse(
      replaced('payload/root', {
        name: 'payload/root',
        header: header('payload/root', 0, (bytes) => bytes.write('2/dev/sda', 156)),
        content: Buffer.alloc(0),
      }),
      'fw-member-type',
    ));
  test('unknown', async () => {
    await refuse(extra('README'), 'fw-member-unknown');
    await refuse(joinParts([part('README', 'hi'), ...parts]), 'fw-member-unknown');
  });
  test('duplicate', async () => {
    await refuse(extra('payload/root'), 'fw-member-duplicate');
    await refuse(extra('chunks'), 'fw-member-duplicate');
  });
  test('missing', async () => {
    await refuse(joinParts(parts.slice(0, -1)), 'fw-member-missing');
    await refuse(joinParts(parts.slice(0, 2)), 'fw-member-missing');
  });
  test('reordered', async () => {
    const [manifest, signature, chunks, boot, root] = parts;
    if (!manifest || !signature || !chunks || !boot || !root) throw new Error('no parts');
    await refuse(joinParts([manifest, signature, chunks, root, boot]), 'fw-member-order');
    await refuse(joinParts([manifest, signature, boot, root, chunks]), 'fw-member-order');
    await refuse(joinParts([signature, manifest, chunks, boot, root]), 'fw-member-order');
  });
  test('headers that say more than they should', async () => {
    const root = parts.at(-1)?.content ?? Buffer.alloc(0);
    for (const [at, text] of [
      [100, '0004755'],
      [136, '14000000000'],
      [265, 'root'],
      [345, '../..'],
      [500, 'x'],
    ] as const) {
      const altered = header('payload/root', root.length, (bytes) => bytes.write(text, at));
      await refuse(
        replaced('payload/root', { name: 'payload/root', header: altered, content: root }),
        'fw-member-header',
      );
    }
    const broken = Buffer.from(tarHeader('payload/root', root.length));
    broken[150] = 0x39;
    await refuse(
      replaced('payload/root', { name: 'payload/root', header: broken, content: root }),
      'fw-member-header',
    );
  });
  test('padding and end that are not zero', async () => {
    const padded = Buffer.from(firmware);
    padded[512 + (parts[0]?.content.length ?? 0)] = 1;
    await refuse(padded, 'fw-member-padding');
    const ended = Buffer.from(firmware);
    ended[ended.length - 1] = 1;
    await refuse(ended, 'fw-member-header');
  });
});

describe('A8: mix and match', () => {
  test('the parts of two good firmwares make none', async () => {
    const input = sampleInput(signer, { root: 600 * KiB, boot: 300 * KiB });
    const newer = split(await build({ ...input, version: '1.2.4' }, signer));
    await refuse(joinParts([...parts.slice(0, 1), ...newer.slice(1)]), 'fw-signature-wrong');
    const [, second] = input.payloads;
    if (!second) throw new Error('no payload');
    const payloads = input.payloads.with(1, { ...second, pieces: [noise(600 * KiB, 'another root')] });
    const other = split(await build({ ...input, payloads }, signer));
    await refuse(joinParts([...parts.slice(0, 2), ...other.slice(2)]), 'fw-chunk-table-altered');
    await refuse(joinParts([...parts.slice(0, 4), ...other.slice(4)]), 'fw-chunk-altered');
  });
});

test('A2: no clock is asked: years in the past or the future change nothing', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    for (const year of ['1970-01-01', '2999-01-01']) {
      vi.setSystemTime(new Date(year));
      await collect([firmware], options);
    }
  } finally {
    vi.useRealTimers();
  }
});

describe('A7: altered while it is being installed', () => {
  test('a chunk that changes after the file was opened is not handed on', async () => {
    const path = await save(firmware);
    await using file = await openFirmware(path, options);
    expect((await file.readChunk('root', 1)).bytes).toHaveLength(256 * KiB);
    await writeFile(path, flipped('payload/root', 300 * KiB));
    await expect(file.readChunk('root', 1)).rejects.toMatchObject({ code: 'fw-chunk-altered' });
    expect((await file.readChunk('root', 0)).bytes).toHaveLength(256 * KiB);
  });
  test('a file that is cut says so', async () => {
    const path = await save(firmware);
    await using file = await openFirmware(path, options);
    await truncate(path, 10_000);
    await expect(file.verify()).rejects.toMatchObject({ code: 'fw-truncated' });
  });
});
