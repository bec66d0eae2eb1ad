import { FwError } from '../errors.ts';
import { TAR_BLOCK, TAR_END_SIZE, tarPadding } from '../formats/tar.ts';
import { ByteReader, type Memory } from './byte-reader.ts';
import type { Chunk } from './chunk-table.ts';
import { type Head, type ReadOptions, readHead } from './head.ts';
import { payloadMember } from './layout.ts';
import type { Manifest, Payload } from './manifest.ts';
import { checkEnd, checkHeader, checkPadding } from './members.ts';
import { unpackChunk } from './unpack.ts';

/** First one `manifest`, then every chunk of every payload in order. */
export type FirmwareEvent =
  | {
      type: 'manifest';
      manifest: Manifest;
      /** The line of the public key that signed. */
      signer: string;
      /** Of each payload, in the manifest's order. */
      chunks: Chunk[][];
      /** Bytes of the whole file. */
      fileSize: number;
      /** All of the above as it was verified. */
      head: Head;
    }
  | {
      type: 'chunk';
      payload: Payload;
      chunkIndex: number;
      /** Of the bytes, in the payload. */
      offset: number;
      /** Raw, and verified; there for as long as the reader of it wants, unless they have said where it is put. */
      bytes: Uint8Array;
    };

/**
 * Reads a .fw as it comes. Nothing is handed on before it is verified: not the manifest before its signature, not
 * a chunk before its hash. The end of the iteration is the proof that the file was whole; a fault throws. Memory
 * is bounded: the chunk table, a few chunks, and one piece of the source (which must not reuse its buffers).
 * @param memory where chunks are put, for who is done with one soon: `UNPACKED_AT_ONCE` are in use besides what was handed on
 * @throws FwError with the codes of `docs/fw-format.md`; what the source throws comes through as it is
 */
export async function* readFirmware(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: ReadOptions,
  memory?: Memory,
): AsyncGenerator<FirmwareEvent, void, undefined> {
  const reader = new ByteReader(source);
  try {
    const head = await readHead(reader, options);
    const { manifest, chunks, fileSize } = head;
    yield { type: 'manifest', manifest, signer: head.signer.line, chunks, fileSize, head };
    for (const [index, payload] of manifest.payloads.entries()) {
      yield* readPayload(reader, payload, chunks[index] ?? [], namesBefore(head, index), memory);
    }
    checkEnd(
      await reader.take(TAR_END_SIZE, 'the end of the archive'),
      namesBefore(head, manifest.payloads.length),
    );
    if (!(await reader.atEnd())) throw trailing(fileSize);
  } finally {
    await reader.close();
  }
}

/** Chunks that are verified at a time: one is hashed while others are decoded by other threads. */
export const UNPACKED_AT_ONCE = 3;

async function* readPayload(
  reader: ByteReader,
  payload: Payload,
  chunks: readonly Chunk[],
  seen: readonly string[],
  memory: Memory | undefined,
): AsyncGenerator<FirmwareEvent, void, undefined> {
  const name = payloadMember(payload.name);
  checkHeader(await reader.take(TAR_BLOCK, `the header of ${name}`), name, payload.stored.size, seen);
  const begun: { chunkIndex: number; offset: number; unpacked: Promise<Uint8Array> }[] = [];
  async function* handedOn(most: number): AsyncGenerator<FirmwareEvent, void, undefined> {
    for (const { unpacked, ...chunk } of begun.splice(0, begun.length - most))
      yield { type: 'chunk', payload, ...chunk, bytes: await unpacked };
  }
  for (const [chunkIndex, chunk] of chunks.entries()) {
    try {
      const stored = await reader.take(chunk.storedSize, `${name}, chunk ${chunkIndex}`, memory);
      const unpacked = unpackChunk(stored, payload, chunk, chunkIndex);
      // Thrown where it is its turn; when that never comes, nobody needs to know.
      unpacked.catch(() => {});
      begun.push({ chunkIndex, offset: chunk.offset, unpacked });
    } catch (error) {
      // What came before is good for something.
      yield* handedOn(0);
      throw error;
    }
    if (begun.length === UNPACKED_AT_ONCE) yield* handedOn(UNPACKED_AT_ONCE - 1);
  }
  yield* handedOn(0);
  checkPadding(await reader.take(tarPadding(payload.stored.size), name), name);
}

/** The members before payload `index`, to tell a member that is there twice from one that is merely misplaced. */
export function namesBefore({ members, manifest }: Head, index: number): string[] {
  const fixed = members.length - manifest.payloads.length;
  return members.slice(0, fixed + index).map(({ name }) => name);
}

export function trailing(fileSize: number): FwError {
  return new FwError('fw-trailing-data', 'something follows the end of the firmware', {
    where: `byte ${fileSize}`,
    expected: `a file of ${fileSize} bytes`,
    remedy: 'Fetch or build the file again.',
  });
}
