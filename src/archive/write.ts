import { createHash } from 'node:crypto';
import { FwError } from '../errors.ts';
import { TAR_END_SIZE, tarHeader, tarPadding } from '../formats/tar.ts';
import { chunksDigest, encodeChunkTable } from './chunk-table.ts';
import { isExampleKey } from './example-key.ts';
import { checkKeys } from './key-rules.ts';
import { MEMBER, payloadMember } from './layout.ts';
import { encodeManifest, FORMAT, type Manifest, type Payload } from './manifest.ts';
import { isLazy, type Pieces } from './pieces.ts';
import { fingerprint, type PublicKey, parsePublicKey } from './public-key.ts';
import type { Signer } from './signer.ts';
import { armorSignature, signatureFits, signedData } from './sshsig.ts';
import { type ChunkCache, type Storage, type StoredPayload, storePayload } from './stored.ts';
import { swapVariants } from './variants.ts';

/** What a firmware says of itself; the rest of the manifest follows from the payloads and the key. */
export interface FirmwareInput
  extends Omit<Manifest, 'format' | 'exampleKey' | 'trustedKeys' | 'chunks' | 'payloads'> {
  /** OpenSSH public keys whose updates this firmware will accept. */
  trustedKeys: readonly string[];
  payloads: readonly PayloadInput[];
}

export interface PayloadInput {
  /** `root`, `boot`, `loader` … */
  name: string;
  pieces: Pieces;
  /** Offsets where the content has seams, ascending; chunks are cut there. */
  boundaries?: readonly number[];
  storage: Storage;
  /** Size of the slot that it goes into, bytes. */
  slotSize?: number;
  /** Bytes that differ between the slots; the pieces hold `a`. */
  variants?: readonly { offset: number; a: Uint8Array; b: Uint8Array }[];
}

/** Takes the file's bytes in order. The next write waits for this one. Where they go, and under what name, is the caller's. */
export type Sink = (bytes: Uint8Array) => Promise<void>;

export interface Written {
  /** Of the whole file: bytes, and SHA-256 in lower-case hex. */
  size: number;
  sha256: string;
  uuid: string;
  manifest: Manifest;
}

/**
 * Writes a .fw: same input, same bytes. Each payload is read twice: once to hash (and compress) its chunks, once
 * to write it. Nothing is written before everything is known and signed.
 * @throws FwError `fw-manifest-invalid`, `payload-changed`, and those of `checkKeys` and of the signer
 */
export async function writeFirmware(
  input: FirmwareInput,
  signer: Signer,
  sink: Sink,
  options: { cache?: ChunkCache } = {},
): Promise<Written> {
  const key = parsePublicKey(signer.publicKey);
  const trustedKeys = input.trustedKeys.map((line) => parsePublicKey(line).line);
  const exampleKey = isExampleKey(key);
  checkKeys({ signer: key, trustedKeys, exampleKey });

  const payloads: { input: PayloadInput; stored: StoredPayload }[] = [];
  for (const each of input.payloads)
    payloads.push({ input: each, stored: await storePayload(each, options.cache) });
  const table = encodeChunkTable(payloads.map(({ stored }) => stored.chunks));
  const { payloads: _, trustedKeys: __, ...about } = input;
  const manifest: Manifest = {
    ...about,
    format: FORMAT,
    exampleKey,
    trustedKeys,
    chunks: { size: table.length, sha256: createHash('sha256').update(table).digest('hex') },
    payloads: payloads.map(({ input: each, stored }) => describe(each, stored)),
  };
  const manifestBytes = encodeManifest(manifest);
  await checkVariants(input.payloads, manifest);
  const signature = await signManifest(manifestBytes, signer, key);

  const out = new HashingSink(sink);
  await out.member(MEMBER.manifest, manifestBytes.length, [manifestBytes]);
  await out.member(MEMBER.signature, signature.length, [signature]);
  await out.member(MEMBER.chunks, table.length, [table]);
  for (const { input: each, stored } of payloads) {
    await out.member(payloadMember(each.name), stored.storedSize, stored.stored());
  }
  await out.write(new Uint8Array(TAR_END_SIZE));
  return { size: out.size, sha256: out.digest(), uuid: manifest.uuid, manifest };
}

function describe(input: PayloadInput, stored: StoredPayload): Payload {
  const { name, slotSize, variants } = input;
  return {
    name,
    size: stored.size,
    digest: chunksDigest(stored.chunks),
    chunks: stored.chunks.length,
    stored: { encoding: input.storage.encoding, size: stored.storedSize },
    ...(slotSize === undefined ? {} : { slotSize }),
    ...(variants?.length
      ? { variants: variants.map(({ offset, a, b }) => ({ offset, a: base64(a), b: base64(b) })) }
      : {}),
  };
}

/** A payload that does not hold variant a where it says so would be found out only on the device. */
async function checkVariants(inputs: readonly PayloadInput[], manifest: Manifest): Promise<void> {
  for (const [index, payload] of manifest.payloads.entries()) {
    const pieces = inputs[index]?.pieces;
    if (!pieces || !payload.variants) continue;
    let offset = 0;
    for await (const piece of isLazy(pieces) ? pieces.open() : pieces) {
      swapVariants(piece, offset, payload, 'a', 'b');
      offset += piece.length;
    }
  }
}

/** The armored signature, checked: a signer that goes wrong must not cost a release. */
async function signManifest(manifest: Uint8Array, signer: Signer, key: PublicKey): Promise<Buffer> {
  const signature = { key, bytes: await signer.sign(signedData(manifest)) };
  if (!signatureFits(manifest, signature)) {
    throw new FwError('signer-failed', `the signer's answer is no signature by ${fingerprint(key)}`, {
      expected: '64 bytes of an Ed25519 signature',
      remedy: 'Check that the public and the private key belong together.',
    });
  }
  return armorSignature(signature);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

class HashingSink {
  readonly #sink: Sink;
  readonly #hash = createHash('sha256');
  size = 0;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async write(bytes: Uint8Array): Promise<void> {
    const written = this.#sink(bytes);
    // The disk writes while we hash.
    this.#hash.update(bytes);
    this.size += bytes.length;
    await written;
  }

  async member(
    name: string,
    size: number,
    content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  ): Promise<void> {
    await this.write(tarHeader(name, size));
    for await (const bytes of content) await this.write(bytes);
    const padding = tarPadding(size);
    if (padding > 0) await this.write(new Uint8Array(padding));
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}
