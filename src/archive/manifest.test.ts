import { describe, expect, test } from 'vitest';
import { EXAMPLE_PUBLIC_KEY } from './example-key.ts';
import { encodeManifest, type Manifest, parseManifest } from './manifest.ts';
import { generateKey } from './private-key.ts';

const key = generateKey('k').publicKey.trim();
const payload = {
  name: 'root',
  size: 300_000,
  digest: 'ab'.repeat(32),
  chunks: 2,
  stored: { encoding: 'raw', size: 300_000 },
  slotSize: 400_000,
  variants: [{ offset: 5, a: 'YQ==', b: 'Yg==' }],
};
const good: Manifest = parseManifest(Buffer.from(text(manifest())));

function manifest(change: object = {}): Record<string, unknown> {
  return {
    format: 1,
    product: 'hello',
    version: '1.2.3',
    versionFloor: '1.2.0',
    target: 'rpi3',
    arch: 'aarch64',
    uuid: '01234567-89ab-cdef-0123-456789abcdef',
    created: '2026-11-21T00:00:00Z',
    exampleKey: false,
    trustedKeys: [key],
    chunks: { size: 16 + 2 * 72, sha256: 'cd'.repeat(32) },
    payloads: [payload],
    ...change,
  };
}
function text(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
const withPayload = (change: object) => ({ payloads: [{ ...payload, ...change }] });

describe('the manifest', () => {
  test('is read back as it was written', () => {
    expect(encodeManifest(good).toString()).toBe(text(manifest()));
    expect(parseManifest(encodeManifest(good))).toEqual(good);
  });

  test('the order in which a program made its fields does not matter', () => {
    const { payloads, format, ...rest } = good;
    expect(encodeManifest({ payloads, ...rest, format })).toEqual(encodeManifest(good));
  });

  test('may ask for a data partition larger than any payload', () => {
    const dataSize = 64 * 1024 ** 3;
    expect(parseManifest(Buffer.from(text(manifest({ dataSize })))).dataSize).toBe(dataSize);
  });

  test('may point to an SBOM that travels beside it', () => {
    const sbom = { format: 'spdx-json', size: 10, sha256: 'ef'.repeat(32) };
    expect(parseManifest(Buffer.from(text(manifest({ sbom })))).sbom).toEqual(sbom);
  });

  test.each<[string, object]>([
    ['manifest.json', { surprise: true }],
    ['format', { format: 0 }],
    ['format', { format: '1' }],
    ['product', { product: '' }],
    ['product', { product: 'a\nb' }],
    ['version', { version: '1.2' }],
    ['versionFloor', { versionFloor: '1.2.4' }],
    ['target', { target: '../rpi3' }],
    ['arch', { arch: 'arm64' }],
    ['uuid', { uuid: '01234567-89AB-cdef-0123-456789abcdef' }],
    ['created', { created: '2026-02-30T00:00:00Z' }],
    ['created', { created: '2026-02-20 00:00:00' }],
    ['exampleKey', { exampleKey: undefined }],
    ['trustedKeys', { trustedKeys: [] }],
    ['trustedKeys', { trustedKeys: [key, `${key} again`] }],
    ['trustedKeys.0', { trustedKeys: ['ssh-rsa AAAA'] }],
    ['trustedKeys.0', { trustedKeys: [` ${key}`] }],
    ['chunks.size', { chunks: { size: 16 + 72, sha256: 'cd'.repeat(32) } }],
    ['dataSize', { dataSize: 0.5 }],
    ['payloads', { payloads: [] }],
    ['payloads.0', withPayload({ mode: 1 })],
    ['payloads.0.name', withPayload({ name: '../root' })],
    ['payloads.0.size', withPayload({ size: 0 })],
    ['payloads.0.size', withPayload({ size: 1e15 })],
    ['payloads.0.size', withPayload({ size: 1.5 })],
    ['payloads.0.digest', withPayload({ digest: 'AB'.repeat(32) })],
    ['payloads.0.chunks', withPayload({ chunks: 1e9 })],
    ['payloads.0.stored.encoding', withPayload({ stored: { encoding: 'gzip', size: 1 } })],
    ['payloads.0.stored.size', withPayload({ stored: { encoding: 'raw', size: 299_999 } })],
    ['payloads.0.stored.size', withPayload({ stored: { encoding: 'zstd', size: 310_000 } })],
    ['payloads.0.slotSize', withPayload({ slotSize: 299_999 })],
    ['payloads.0.variants.0', withPayload({ variants: [{ offset: 5, a: 'YQ==', b: 'YmI=' }] })],
    ['payloads.0.variants.0', withPayload({ variants: [{ offset: 5, a: '', b: '' }] })],
    ['payloads.0.variants.0', withPayload({ variants: [{ offset: 300_000, a: 'YQ==', b: 'Yg==' }] })],
    ['payloads.0.variants.0.a', withPayload({ variants: [{ offset: 5, a: 'YQ', b: 'Yg==' }] })],
    [
      'payloads.1.name',
      { payloads: [payload, payload], chunks: { size: 16 + 4 * 72, sha256: 'cd'.repeat(32) } },
    ],
  ])('%s is refused: %j', (where, change) => {
    expect(() => parseManifest(Buffer.from(text(manifest(change))))).toThrow(
      expect.objectContaining({ code: 'fw-manifest-invalid', where }),
    );
  });

  test('overlapping variants are refused', () => {
    const variants = [
      { offset: 5, a: 'YWE=', b: 'YmI=' },
      { offset: 6, a: 'YQ==', b: 'Yg==' },
    ];
    expect(() => parseManifest(Buffer.from(text(manifest(withPayload({ variants })))))).toThrow(
      expect.objectContaining({ where: 'payloads.0.variants.1' }),
    );
  });

  test.each([
    ['no JSON', '{'],
    ['not an object', '[]\n'],
    ['compact', JSON.stringify(manifest())],
    ['no newline', text(manifest()).trimEnd()],
    ['a key twice', text(manifest()).replace('"product"', '"product": "evil",\n  "product"')],
    ['another order', text(manifest({ payloads: undefined, ...manifest() })).replace('  "format": 1,\n', '')],
    ['escapes', text(manifest()).replace('hello', '\\u0068ello')],
    ['a byte order mark', `\ufeff${text(manifest())}`],
    ['a number spelled otherwise', text(manifest()).replace('300000', '3e5')],
  ])('has one spelling: %s', (_, bytes) => {
    expect(() => parseManifest(Buffer.from(bytes))).toThrow(
      expect.objectContaining({ code: 'fw-manifest-invalid' }),
    );
  });

  test('bytes that are no UTF-8 are refused', () => {
    const bytes = Buffer.from(text(manifest({ trustedKeys: [`${key}X`] })));
    bytes[bytes.indexOf('kX')] = 0xff;
    expect(() => parseManifest(bytes)).toThrow(expect.objectContaining({ code: 'fw-manifest-invalid' }));
  });

  test('a newer format says what to do', () => {
    expect(() => parseManifest(Buffer.from(text({ format: 2, whatever: true })))).toThrow(
      expect.objectContaining({ code: 'fw-format-newer', remedy: expect.stringContaining('Update Hearth') }),
    );
  });

  test('is at most 1 MiB', () => {
    const variants = Array.from({ length: 64 }, (_, index) => {
      const bytes = Buffer.alloc(4000, index).toString('base64');
      return { offset: index * 4000, a: bytes, b: bytes };
    });
    const many = Array.from({ length: 4 }, (_, index) => ({ ...payload, name: `p${index}`, variants }));
    expect(() =>
      encodeManifest({
        ...good,
        trustedKeys: [EXAMPLE_PUBLIC_KEY],
        chunks: { ...good.chunks, size: 16 + 8 * 72 },
        payloads: many.map((each) => ({ ...each, stored: { encoding: 'raw' as const, size: each.size } })),
      }),
    ).toThrow(/too many/);
  });
});
