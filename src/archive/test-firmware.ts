/** For tests only: a small firmware, ways to take it apart and to put it together wrongly. */
import { createHash } from 'node:crypto';
import { TAR_BLOCK, TAR_END_SIZE, tarHeader, tarPadding } from '../formats/tar.ts';
import type { ReadOptions } from './head.ts';
import { MEMBER } from './layout.ts';
import type { Manifest } from './manifest.ts';
import { generateKey } from './private-key.ts';
import { parsePublicKey } from './public-key.ts';
import { readFirmware } from './read.ts';
import { keySigner, type Signer } from './signer.ts';
import { armorSignature, signedData } from './sshsig.ts';
import { type FirmwareInput, writeFirmware } from './write.ts';

export function newSigner(comment = 'test'): Signer {
  return keySigner(generateKey(comment).privateKey, comment);
}

/** Bytes that do not compress, the same for the same seed. */
export function noise(length: number, seed = 'noise'): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < length; at += 32) blocks.push(createHash('sha256').update(`${seed} ${at}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

export function sampleInput(signer: Signer, sizes: { root?: number; boot?: number } = {}): FirmwareInput {
  const boot = Buffer.alloc(sizes.boot ?? 700, 'boot hearth.slot=a ');
  return {
    product: 'hello',
    version: '1.2.3',
    versionFloor: '1.0.0',
    target: 'rpi3',
    arch: 'aarch64',
    uuid: '01234567-89ab-cdef-0123-456789abcdef',
    created: '2026-11-21T00:00:00Z',
    trustedKeys: [signer.publicKey],
    payloads: [
      {
        name: 'boot',
        pieces: [boot],
        storage: { encoding: 'zstd', level: 3 },
        slotSize: 1 << 20,
        variants: [{ offset: 17, a: Buffer.from('a'), b: Buffer.from('b') }],
      },
      { name: 'root', pieces: [noise(sizes.root ?? 1100)], storage: { encoding: 'raw' }, slotSize: 1 << 24 },
    ],
  };
}

export async function build(input: FirmwareInput, signer: Signer): Promise<Buffer> {
  const out: Uint8Array[] = [];
  await writeFirmware(input, signer, async (bytes) => {
    out.push(Uint8Array.from(bytes));
  });
  return Buffer.concat(out);
}

export interface Parts {
  name: string;
  header: Buffer;
  content: Buffer;
}

export function split(firmware: Buffer): Parts[] {
  const parts: Parts[] = [];
  for (let at = 0; at < firmware.length - TAR_END_SIZE; ) {
    const header = firmware.subarray(at, at + TAR_BLOCK);
    const size = Number.parseInt(header.toString('latin1', 124, 135), 8);
    const content = firmware.subarray(at + TAR_BLOCK, at + TAR_BLOCK + size);
    parts.push({ name: header.toString('latin1', 0, 100).replace(/\0+$/, ''), header, content });
    at += TAR_BLOCK + size + tarPadding(size);
  }
  return parts;
}

export function joinParts(parts: readonly Parts[]): Buffer {
  const pieces = parts.flatMap(({ header, content }) => [
    header,
    content,
    Buffer.alloc(tarPadding(content.length)),
  ]);
  return Buffer.concat([...pieces, Buffer.alloc(TAR_END_SIZE)]);
}

export function part(name: string, content: Uint8Array | string): Parts {
  const bytes = Buffer.from(content);
  return { name, header: tarHeader(name, bytes.length), content: bytes };
}

export async function signBytes(message: Uint8Array, signer: Signer): Promise<Buffer> {
  return armorSignature({
    key: parsePublicKey(signer.publicKey),
    bytes: await signer.sign(signedData(message)),
  });
}

/** The firmware with another manifest, rightly signed: what a broken or hostile holder of the key could make. */
export async function resign(
  firmware: Buffer,
  signer: Signer,
  change: (manifest: Manifest) => unknown,
  encode: (value: unknown) => string = (value) => `${JSON.stringify(value, null, 2)}\n`,
): Promise<Buffer> {
  const parts = split(firmware);
  const manifest: Manifest = JSON.parse(parts[0]?.content.toString() ?? '');
  const bytes = Buffer.from(encode(change(manifest) ?? manifest));
  return joinParts([
    part(MEMBER.manifest, bytes),
    part(MEMBER.signature, await signBytes(bytes, signer)),
    ...parts.slice(2),
  ]);
}

/** The firmware cut into pieces as a network might. */
export function* inPieces(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

export interface Collected {
  manifest: Manifest | undefined;
  payloads: Record<string, Buffer>;
}

/** Reads to the end, keeping what was handed on up to a fault in `into`. */
export async function collect(
  source: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: ReadOptions,
  into: Collected = { manifest: undefined, payloads: {} },
): Promise<Collected> {
  for await (const event of readFirmware(source, options)) {
    if (event.type === 'manifest') into.manifest = event.manifest;
    else {
      const { name } = event.payload;
      into.payloads[name] = Buffer.concat([into.payloads[name] ?? Buffer.alloc(0), event.bytes]);
    }
  }
  return into;
}
