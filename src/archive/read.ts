import { FwError } from '../errors.ts';
import { TAR_BLOCK, TAR_END_SIZE, tarPadding } from '../formats/tar.ts';
import { ByteReader } from './byte-reader.ts';
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
      /** Raw, and verified; a view that lives as long as the reader of it wants. */
      bytes: Uint8Array;
    };

/**
 * Reads a .fw as it comes. Nothing is handed on before it is verified: not the manifest before its signature, not
 * a chunk before its hash. The end of the iteration is the proof that the file was whole; a fault throws. Memory
 * is bounded: the chunk table, one chunk, and one piece of the source (which must not reuse its buffers).
 * @throws FwError with the codes of `docs/fw-format.md`; what the source throws comes through as it is
 */
export async function* readFirmware(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: ReadOptions,
): AsyncGenerator<FirmwareEvent, void, undefined> {
  const reader = new ByteReader(source);
  try {
    const head = await readHead(reader, options);
    const { manifest, chunks, fileSize } = head;
    yield { type: 'manifest', manifest, signer: head.signer.line, chunks, fileSize, head };
    for (const [index, payload] of manifest.payloads.entries()) {
      yield* readPayload(reader, payload, chunks[index] ?? [], namesBefore(head, index));
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

async function* readPayload(
  reader: ByteReader,
  payload: Payload,
  chunks: readonly Chunk[],
  seen: readonly string[],
): AsyncGenerator<FirmwareEvent, void, undefined> {
  const name = payloadMember(payload.name);
  checkHeader(await reader.take(TAR_BLOCK, `the header of ${name}`), name, payload.stored.size, seen);
  for (const [chunkIndex, chunk] of chunks.entries()) {
    const stored = await reader.take(chunk.storedSize, `${name}, chunk ${chunkIndex}`);
    const bytes = await unpackChunk(stored, payload, chunk, chunkIndex);
    yield { type: 'chunk', payload, chunkIndex, offset: chunk.offset, bytes };
  }
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
