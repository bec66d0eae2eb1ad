import * as z from 'zod';
import { FwError } from '../errors.ts';
import { TAR_MAX_SIZE } from '../formats/tar.ts';
import { CHUNK_TABLE_HEADER, CHUNK_TABLE_ROW, MAX_CHUNK, MIN_CHUNK, storedBound } from './chunk-table.ts';
import { parsePublicKey } from './public-key.ts';
import { compareVersions, isVersion } from './version.ts';

/**
 * The signed statement about a firmware; everything else in the file hangs on it by hashes. `docs/fw-format.md`
 * describes each field. There is one spelling: two-space JSON, keys in the order of this schema, a newline.
 */
export const FORMAT = 1;
export const MAX_MANIFEST_SIZE = 1024 * 1024;
const MAX_PAYLOADS = 16;
const MAX_KEYS = 32;
const MAX_VARIANTS = 64;
const MAX_VARIANT_BYTES = 4096;

const version = z.string().refine(isVersion, 'not a semantic version such as 1.2.3');
const word = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/, 'not a word of a-z, 0-9, _ and -');
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'not a SHA-256 in lower-case hex');
const size = z.number().int().min(1).max(TAR_MAX_SIZE);
const base64 = z
  .string()
  .max(MAX_VARIANT_BYTES * 2)
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'not base64');
const publicKey = z.string().refine(isPublicKeyLine, 'not an ssh-ed25519 public key');

const variant = z.strictObject({ offset: z.number().int().min(0), a: base64, b: base64 });

const payload = z.strictObject({
  name: word,
  size,
  digest: sha256,
  chunks: z.number().int().min(1),
  stored: z.strictObject({ encoding: z.enum(['raw', 'zstd']), size }),
  slotSize: size.exactOptional(),
  variants: z.array(variant).min(1).max(MAX_VARIANTS).exactOptional(),
});

const schema = z.strictObject({
  format: z.literal(FORMAT),
  product: z.string().regex(/^[\w@][\w@./+-]{0,63}$/, 'not a product name'),
  version,
  versionFloor: version.exactOptional(),
  target: word,
  arch: z.enum(['x86_64', 'aarch64']),
  uuid: z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'not a lower-case UUID'),
  created: z.string().refine(isTimestamp, 'not a time such as 2026-11-21T12:00:00Z'),
  exampleKey: z.boolean(),
  trustedKeys: z.array(publicKey).min(1).max(MAX_KEYS),
  chunks: z.strictObject({ size, sha256 }),
  payloads: z.array(payload).min(1).max(MAX_PAYLOADS),
  dataSize: z.number().int().min(1).exactOptional(),
  sbom: z.strictObject({ format: z.enum(['spdx-json', 'cyclonedx-json']), size, sha256 }).exactOptional(),
});

export type Manifest = z.infer<typeof schema>;
export type Payload = z.infer<typeof payload>;
export type Variant = z.infer<typeof variant>;
export type Encoding = Payload['stored']['encoding'];
export type Arch = Manifest['arch'];

/** The manifest's bytes. @throws FwError `fw-manifest-invalid`, naming the field */
export function encodeManifest(manifest: Manifest): Buffer {
  const bytes = Buffer.from(`${JSON.stringify(check(manifest), null, 2)}\n`, 'utf8');
  if (bytes.length > MAX_MANIFEST_SIZE) throw invalid('manifest.json', `${bytes.length} bytes are too many`);
  return bytes;
}

/** @throws FwError `fw-manifest-invalid`, `fw-format-newer` */
export function parseManifest(bytes: Uint8Array): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (cause) {
    throw invalid('manifest.json', 'not JSON in UTF-8', cause);
  }
  if (isObject(value) && typeof value.format === 'number' && value.format > FORMAT) {
    throw new FwError(
      'fw-format-newer',
      `the firmware is in format ${value.format}, newer than this program`,
      {
        where: 'manifest.json, format',
        expected: `format ${FORMAT}`,
        remedy: 'Update Hearth, or first install a release of the older format that can read the newer one.',
      },
    );
  }
  const manifest = check(value);
  // A key given twice, or in another order, must not mean one thing to us and another to the next reader.
  if (!encodeManifest(manifest).equals(bytes)) throw invalid('manifest.json', 'not in its one spelling');
  return manifest;
}

function check(value: unknown): Manifest {
  const result = schema.safeParse(value);
  if (!result.success) {
    const issue = result.error.issues[0];
    throw invalid(issue?.path.join('.') || 'manifest.json', issue?.message ?? 'invalid', result.error);
  }
  // Only now: what compares fields may take each of them to be well-formed.
  for (const [path, message] of contradictions(result.data)) throw invalid(path.join('.'), message);
  return result.data;
}

/** What a schema of single fields cannot say. */
function* contradictions(manifest: Manifest): Generator<[(string | number)[], string]> {
  if (manifest.versionFloor && compareVersions(manifest.version, manifest.versionFloor) < 0) {
    yield [['versionFloor'], 'above the version itself'];
  }
  const keys = manifest.trustedKeys.map((line) => line.split(' ')[1]);
  if (new Set(keys).size !== keys.length) yield [['trustedKeys'], 'a key is listed twice'];
  const names = new Set<string>();
  for (const [index, each] of manifest.payloads.entries()) {
    const at = ['payloads', index];
    if (names.has(each.name)) yield [[...at, 'name'], 'listed twice'];
    names.add(each.name);
    if (each.chunks < Math.ceil(each.size / MAX_CHUNK) || each.chunks > Math.ceil(each.size / MIN_CHUNK)) {
      yield [[...at, 'chunks'], `${each.size} bytes cannot be ${each.chunks} chunks`];
    }
    const { encoding, size } = each.stored;
    const possible = encoding === 'raw' ? size === each.size : size <= storedBound(each.size, each.chunks);
    if (!possible) yield [[...at, 'stored', 'size'], `${each.size} bytes cannot be stored in ${size}`];
    if (each.slotSize !== undefined && each.slotSize < each.size)
      yield [[...at, 'slotSize'], 'smaller than the payload'];
    yield* variantContradictions(each, at);
  }
  const rows = manifest.payloads.reduce((sum, { chunks }) => sum + chunks, 0);
  const tableSize = CHUNK_TABLE_HEADER + rows * CHUNK_TABLE_ROW;
  if (manifest.chunks.size !== tableSize)
    yield [['chunks', 'size'], `${rows} chunks make ${tableSize} bytes`];
}

function* variantContradictions(
  each: Payload,
  at: (string | number)[],
): Generator<[(string | number)[], string]> {
  let end = 0;
  for (const [index, { offset, a, b }] of (each.variants ?? []).entries()) {
    const length = Buffer.byteLength(a, 'base64');
    const where = [...at, 'variants', index];
    if (length === 0 || Buffer.byteLength(b, 'base64') !== length) {
      yield [where, 'a and b must have the same length, and not be empty'];
    }
    if (offset < end || offset + length > each.size) yield [where, 'out of order, or outside the payload'];
    end = offset + length;
  }
}

function isPublicKeyLine(line: string): boolean {
  try {
    return parsePublicKey(line).line === line;
  } catch {
    return false;
  }
}

function isTimestamp(text: string): boolean {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? Date.parse(text) : Number.NaN;
  return !Number.isNaN(time) && new Date(time).toISOString() === text.replace('Z', '.000Z');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function invalid(where: string, message: string, cause?: unknown): FwError {
  return new FwError('fw-manifest-invalid', `the manifest is not valid: ${where}: ${message}`, {
    where,
    expected: 'docs/fw-format.md',
    cause,
  });
}
