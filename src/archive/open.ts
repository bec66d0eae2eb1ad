import { type FileHandle, open } from 'node:fs/promises';
import { FwError } from '../errors.ts';
import type { Extent } from '../formats/bytes.ts';
import { TAR_BLOCK, TAR_END_SIZE, tarPadding } from '../formats/tar.ts';
import { ByteReader } from './byte-reader.ts';
import type { Chunk } from './chunk-table.ts';
import { type Head, type ReadOptions, readHead } from './head.ts';
import type { Manifest, Payload } from './manifest.ts';
import { checkEnd, checkHeader, checkPadding } from './members.ts';
import { namesBefore, trailing } from './read.ts';
import { unpackChunk } from './unpack.ts';

/** A chunk's raw bytes, verified. */
export interface ChunkBytes {
  index: number;
  /** In the payload, bytes. */
  offset: number;
  bytes: Uint8Array;
}

/** The manifest and table are small; reading them takes a few of these. */
const HEAD_PIECE = 64 * 1024;
const BUILD_ONE = 'Build one with fw build, which says where it puts it.';

/**
 * Opens a .fw for reading its payloads in any order. All but the payloads' bytes is verified by then: signature,
 * manifest, chunk table, every header, the padding, the file's length. Chunks are verified as they are read.
 * @throws FwError `fw-missing`, and the codes of `docs/fw-format.md`
 */
export async function openFirmware(path: string, options: ReadOptions): Promise<FirmwareFile> {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw new FwError('fw-missing', `${path} cannot be opened: ${(cause as Error).message}`, {
      where: path,
      expected: 'a .fw file',
      remedy: BUILD_ONE,
      cause,
    });
  });
  try {
    if (!(await file.stat()).isFile()) {
      throw new FwError('fw-missing', `${path} is not a file`, {
        where: path,
        expected: 'a .fw file',
        remedy: BUILD_ONE,
      });
    }
    const head = await readHead(new ByteReader(pieces(file)), options);
    await checkFrame(file, head);
    return new FirmwareFile(path, file, head);
  } catch (error) {
    await file.close();
    throw error;
  }
}

export class FirmwareFile {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #head: Head;

  /** Use `openFirmware`. */
  constructor(path: string, file: FileHandle, head: Head) {
    this.path = path;
    this.#file = file;
    this.#head = head;
  }

  get manifest(): Manifest {
    return this.#head.manifest;
  }

  /** The line of the public key that signed. */
  get signer(): string {
    return this.#head.signer.line;
  }

  /** The file up to its first payload, verified. */
  get head(): Head {
    return this.#head;
  }

  /** Bytes of the whole file. */
  get size(): number {
    return this.#head.fileSize;
  }

  /** @throws FwError `fw-payload-missing` */
  payload(name: string): Payload {
    return this.#find(name).payload;
  }

  chunks(name: string): readonly Chunk[] {
    return this.#find(name).chunks;
  }

  /** The payload's raw bytes, chunk by chunk, from chunk `first` on. */
  async *read(name: string, first = 0): AsyncGenerator<ChunkBytes, void, undefined> {
    const { chunks } = this.#find(name);
    for (let index = first; index < chunks.length; index++) yield await this.readChunk(name, index);
  }

  async readChunk(name: string, index: number): Promise<ChunkBytes> {
    const { payload, chunk } = this.#chunk(name, index);
    const stored = await this.readStored(name, index);
    return { index, offset: chunk.offset, bytes: await unpackChunk(stored, payload, chunk, index) };
  }

  /** A chunk as it lies in the file. Not verified. */
  async readStored(name: string, index: number): Promise<Uint8Array> {
    const { chunk, offset } = this.#chunk(name, index);
    return readAt(this.#file, offset + chunk.storedOffset, chunk.storedSize, this.size);
  }

  /** Raw bytes of a payload, from the chunks that they lie in. */
  async readRange(name: string, { offset, length }: Extent): Promise<Uint8Array> {
    const out = Buffer.alloc(length);
    for (const [index, chunk] of this.#find(name).chunks.entries()) {
      if (chunk.offset >= offset + length || chunk.offset + chunk.size <= offset) continue;
      const { bytes } = await this.readChunk(name, index);
      const from = Math.max(0, offset - chunk.offset);
      out.set(bytes.subarray(from, offset + length - chunk.offset), chunk.offset + from - offset);
    }
    return out;
  }

  /** Reads everything once. Resolves when the whole file is what was signed. */
  async verify(): Promise<void> {
    for (const { name } of this.manifest.payloads) {
      for await (const _ of this.read(name));
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #chunk(name: string, index: number): { payload: Payload; chunk: Chunk; offset: number } {
    const { payload, chunks, offset } = this.#find(name);
    const chunk = chunks[index];
    if (chunk) return { payload, chunk, offset };
    throw new RangeError(`payload ${name} has ${chunks.length} chunks, none with the index ${index}`);
  }

  #find(name: string): { payload: Payload; chunks: Chunk[]; offset: number } {
    const { manifest, chunks, members } = this.#head;
    const index = manifest.payloads.findIndex((payload) => payload.name === name);
    const payload = manifest.payloads[index];
    const member = members[members.length - manifest.payloads.length + index];
    if (!payload || !member) {
      throw new FwError('fw-payload-missing', `${this.path} has no payload ${name}`, {
        where: this.path,
        expected: manifest.payloads.map((each) => each.name).join(', '),
      });
    }
    return { payload, chunks: chunks[index] ?? [], offset: member.offset };
  }
}

/** What stands around the payloads' bytes, in the order of the file, so that both readers find the same fault. */
async function checkFrame(file: FileHandle, head: Head): Promise<void> {
  const { manifest, members, fileSize } = head;
  const fixed = members.length - manifest.payloads.length;
  for (const [index, { name, size, offset }] of members.slice(fixed).entries()) {
    const header = await readAt(file, offset - TAR_BLOCK, TAR_BLOCK, fileSize);
    checkHeader(header, name, size, namesBefore(head, index));
    checkPadding(await readAt(file, offset + size, tarPadding(size), fileSize), name);
  }
  const end = await readAt(file, fileSize - TAR_END_SIZE, TAR_END_SIZE, fileSize);
  checkEnd(end, namesBefore(head, manifest.payloads.length));
  if ((await file.stat()).size > fileSize) throw trailing(fileSize);
}

async function* pieces(file: FileHandle): AsyncGenerator<Uint8Array> {
  for (let at = 0; ; at += HEAD_PIECE) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafeSlow(HEAD_PIECE), 0, HEAD_PIECE, at);
    if (bytesRead > 0) yield buffer.subarray(0, bytesRead);
    if (bytesRead < HEAD_PIECE) return;
  }
}

async function readAt(file: FileHandle, at: number, length: number, fileSize: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(length);
  for (let have = 0; have < length; ) {
    const { bytesRead } = await file.read(buffer, have, length - have, at + have);
    if (bytesRead === 0) throw truncated((await file.stat()).size, fileSize);
    have += bytesRead;
  }
  return buffer;
}

function truncated(size: number, fileSize: number): FwError {
  return new FwError('fw-truncated', `the firmware ends after ${size} of ${fileSize} bytes`, {
    where: `byte ${size}`,
    expected: `${fileSize} bytes`,
    remedy: 'Fetch or build the file again.',
  });
}
