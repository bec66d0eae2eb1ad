import { FwError } from '../../errors.ts';
import { FRAME, frameHeader } from './frame.ts';

/** Bytes of the same payload of the firmware that runs: what a patch is applied to. */
export interface Base {
  offset: number;
  length: number;
}

/** One chunk on its way: as it is stored in the .fw, or as a zstd frame whose dictionary is `base`. */
export interface ChunkFrame {
  /** Of the payload in the manifest. */
  payload: number;
  index: number;
  base: Base | undefined;
  bytes: Buffer;
}

/** What a device is ready to read and hold for one patch. */
export const MAX_BASE = 4 * 1024 * 1024;
const HEADER = 17;

/**
 * What stands before a chunk's bytes, the frame's own header included. uint8 payload, uint32 index, uint32 length of the base
 * (0: none), uint64 its offset; big-endian.
 */
export function chunkHeader({ payload, index, base, bytes }: Sized<ChunkFrame>): Buffer {
  const header = Buffer.allocUnsafe(HEADER);
  header.writeUInt8(payload, 0);
  header.writeUInt32BE(index, 1);
  header.writeUInt32BE(base?.length ?? 0, 5);
  header.writeBigUInt64BE(BigInt(base?.offset ?? 0), 9);
  return Buffer.concat([frameHeader(FRAME.chunk, HEADER + bytes.length), header]);
}

type Sized<T extends { bytes: Uint8Array }> = Omit<T, 'bytes'> & { bytes: Uint8Array };

/** @throws FwError `transfer-garbled` */
export function parseChunk(frame: Buffer): ChunkFrame {
  if (frame.length <= HEADER) throw garbled('a chunk without bytes');
  const length = frame.readUInt32BE(5);
  const offset = Number(frame.readBigUInt64BE(9));
  if (length > MAX_BASE || !Number.isSafeInteger(offset)) throw garbled('a patch of too much');
  return {
    payload: frame.readUInt8(0),
    index: frame.readUInt32BE(1),
    base: length === 0 ? undefined : { offset, length },
    bytes: frame.subarray(HEADER),
  };
}

function garbled(message: string): FwError {
  return new FwError('transfer-garbled', message, { expected: 'a chunk as src/update/transfer says' });
}
