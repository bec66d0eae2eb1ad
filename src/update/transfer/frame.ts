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
export function readFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<Frame, void, undefined> {
  return readFramesOf(TYPES, source);
}

/** The same for frames of other types than an update's. */
export async function* readFramesOf<Type extends number>(
  types: ReadonlySet<Type>,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Frame<Type>, void, undefined> {
  let have: Uint8Array[] = [];
  let length = 0;
  for await (const piece of source) {
    have.push(piece);
    length += piece.length;
    while (length >= HEADER) {
      const wanted = HEADER + sizeOf(have, types);
      if (length < wanted) break;
      const bytes = Buffer.concat(have);
      yield { type: bytes.readUInt8(0) as Type, payload: bytes.subarray(HEADER, wanted) };
      have = [bytes.subarray(wanted)];
      length -= wanted;
    }
  }
  if (length > 0) throw garbled('the connection ended within a frame');
}

/** Of the next frame's payload, as soon as its header is there. */
function sizeOf(pieces: Uint8Array[], types: ReadonlySet<number>): number {
  const [first] = pieces;
  const header =
    first && first.length >= HEADER ? Buffer.from(first.subarray(0, HEADER)) : Buffer.concat(pieces);
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
