import type { Memory } from '../../archive/byte-reader.ts';
import { FwError } from '../../errors.ts';

/**
 * How an update travels on a link that goes both ways: frames of a type (1 byte), a length (4 bytes, big-endian) and as many
 * bytes. The device says what it runs, the sender sends the head, the device says what it lacks, the sender sends that. JSON
 * where it is for people or small.
 */
export const FRAME = {
  /** To the device, first: the .fw up to its first payload. */
  head: 1,
  /** To the device: a chunk. See chunk-frame.ts. */
  chunk: 2,
  /** To the device, in the place of `head`: its difference to the head of the firmware that runs. */
  headPatch: 3,
  /** From the device, first: `Running`. */
  running: 15,
  /** From the device: `Wanted`. */
  want: 16,
  /** From the device: `Progress`. */
  progress: 17,
  /** From the device: the slot is complete and read back, and the machine goes down to try it. */
  rebooting: 18,
  /** From the device, and the last: `Refusal`. */
  refused: 19,
} as const;

export type FrameType = (typeof FRAME)[keyof typeof FRAME];
export interface Frame<Type extends number = FrameType> {
  type: Type;
  payload: Buffer;
}

const HEADER = 5;
/** A head of a MiB and its headers; a chunk of a MiB and what is said of it. */
const MAX_PAYLOAD = 2 * 1024 * 1024;
const TYPES: ReadonlySet<FrameType> = new Set(Object.values(FRAME));

export function encodeFrame(type: number, payload: Uint8Array): Buffer {
  return Buffer.concat([frameHeader(type, payload.length), payload]);
}

/** What stands before a payload of so many bytes: for who writes it behind, without a copy. */
export function frameHeader(type: number, length: number): Buffer {
  if (length > MAX_PAYLOAD) throw new RangeError(`a frame holds ${MAX_PAYLOAD} bytes at most`);
  const header = Buffer.allocUnsafe(HEADER);
  header.writeUInt8(type, 0);
  header.writeUInt32BE(length, 1);
  return header;
}

export function encodeJson(type: number, value: unknown): Buffer {
  return encodeFrame(type, Buffer.from(JSON.stringify(value)));
}

/**
 * The frames of a stream, one at a time: a reader that is slow is what slows the sender.
 * @throws FwError `transfer-garbled` on what is no frame, and when the stream ends within one
 */
export function readFrames(
  source: AsyncIterable<Uint8Array>,
  memory?: Memory,
): AsyncGenerator<Frame, void, undefined> {
  return readFramesOf(TYPES, source, memory);
}

/** The same for frames of other types than an update's. */
export async function* readFramesOf<Type extends number>(
  types: ReadonlySet<Type>,
  source: AsyncIterable<Uint8Array>,
  memory: Memory = Buffer.allocUnsafeSlow,
): AsyncGenerator<Frame<Type>, void, undefined> {
  const header = Buffer.alloc(HEADER);
  /** Bytes of the header that are there. */
  let known = 0;
  let payload: Buffer | undefined;
  let filled = 0;
  for await (const piece of source) {
    for (let at = 0; at < piece.length || (payload && filled === payload.length); ) {
      if (!payload) {
        const part = piece.subarray(at, at + HEADER - known);
        header.set(part, known);
        known += part.length;
        at += part.length;
        // Every byte goes to its place as it comes: what it came in is not held.
        if (known === HEADER) [payload, filled] = [memory(sizeOf(header, types)), 0];
      } else if (filled < payload.length) {
        const part = piece.subarray(at, at + payload.length - filled);
        payload.set(part, filled);
        filled += part.length;
        at += part.length;
      } else {
        const frame = { type: header.readUInt8(0) as Type, payload };
        [payload, known] = [undefined, 0];
        yield frame;
      }
    }
  }
  if (known > 0) throw garbled('the connection ended within a frame');
}

/** Of the payload that follows. */
function sizeOf(header: Buffer, types: ReadonlySet<number>): number {
  const size = header.readUInt32BE(1);
  if (!types.has(header.readUInt8(0)) || size > MAX_PAYLOAD)
    throw garbled('this is none of the frames that are expected here');
  return size;
}

function garbled(message: string): FwError {
  return new FwError('transfer-garbled', message, {
    expected: 'frames as src/update/transfer says',
    remedy:
      'Try again. If it stays so, fw and the device speak different versions: install by ssh HOST update < FILE.fw.',
  });
}
