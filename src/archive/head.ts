import { hash } from 'node:crypto';
import { FwError } from '../errors.ts';
import { TAR_BLOCK, tarPadding } from '../formats/tar.ts';
import { ByteReader } from './byte-reader.ts';
import { type Chunk, parseChunkTable } from './chunk-table.ts';
import { checkFits, type Device } from './fits.ts';
import { checkKeys } from './key-rules.ts';
import { layout, MEMBER, type Member } from './layout.ts';
import { MAX_MANIFEST_SIZE, type Manifest, parseManifest } from './manifest.ts';
import { checkHeader, checkPadding, headerSize } from './members.ts';
import type { PublicKey } from './public-key.ts';
import { MAX_SIGNATURE_SIZE } from './sshsig.ts';
import { type Trust, verify } from './verify.ts';

export interface ReadOptions {
  /** Whose signature counts. An empty list refuses everything. */
  trust: Trust;
  /** What the firmware must suit. */
  device?: Device;
}

/** Everything before the payloads, verified. */
export interface Head {
  manifest: Manifest;
  signer: PublicKey;
  /** Of each payload, in the manifest's order. */
  chunks: Chunk[][];
  members: Member[];
  /** Bytes of the whole file. */
  fileSize: number;
  /** The file up to the first payload's header: by it, alone, a slot can be checked (`parseHead`). */
  bytes: Buffer;
}

type Take = ByteReader['take'];

/**
 * Reads up to the first payload. The order is the point: the signature is checked before the manifest is even
 * parsed, and the manifest is trusted before the chunk table is read.
 */
export async function readHead(reader: ByteReader, options: ReadOptions): Promise<Head> {
  const parts: Uint8Array[] = [];
  const take: Take = async (length, what) => {
    const bytes = await reader.take(length, what);
    parts.push(bytes);
    return bytes;
  };
  const manifestBytes = await readUnsized(take, MEMBER.manifest, MAX_MANIFEST_SIZE, []);
  const signature = await readUnsized(take, MEMBER.signature, MAX_SIGNATURE_SIZE, [MEMBER.manifest]);
  const signer = verify(manifestBytes, signature, options.trust);
  const manifest = parseManifest(manifestBytes);
  checkKeys({ signer, trustedKeys: manifest.trustedKeys, exampleKey: manifest.exampleKey });
  if (options.device) checkFits(manifest, options.device);

  const { members, fileSize } = layout(manifestBytes.length, signature.length, manifest);
  reader.expectedSize = fileSize;
  checkHeader(await take(TAR_BLOCK, `the header of ${MEMBER.chunks}`), MEMBER.chunks, manifest.chunks.size, [
    MEMBER.manifest,
    MEMBER.signature,
  ]);
  const table = await readContent(take, MEMBER.chunks, manifest.chunks.size);
  const found = hash('sha256', table, 'hex');
  if (found !== manifest.chunks.sha256) {
    throw new FwError('fw-chunk-table-altered', 'the chunk table is not the one that was signed', {
      where: MEMBER.chunks,
      expected: `SHA-256 ${manifest.chunks.sha256}`,
      remedy: 'Fetch or build the file again.',
    });
  }
  const chunks = parseChunkTable(table, manifest.payloads);
  return { manifest, signer, chunks, members, fileSize, bytes: Buffer.concat(parts) };
}

/**
 * A head that was kept: all of its bytes and no more.
 * @throws as `readFirmware`
 */
export async function parseHead(bytes: Uint8Array, options: ReadOptions): Promise<Head> {
  const reader = new ByteReader([bytes]);
  const head = await readHead(reader, options);
  if (await reader.atEnd()) return head;
  throw new FwError('fw-trailing-data', 'something follows the head of the firmware', {
    where: `byte ${head.bytes.length}`,
    expected: `${head.bytes.length} bytes`,
  });
}

async function readUnsized(take: Take, name: string, max: number, seen: string[]): Promise<Uint8Array> {
  const header = await take(TAR_BLOCK, `the header of ${name}`);
  return await readContent(take, name, headerSize(header, name, max, seen));
}

async function readContent(take: Take, name: string, size: number): Promise<Uint8Array> {
  const content = await take(size, name);
  checkPadding(await take(tarPadding(size), name), name);
  return content;
}
