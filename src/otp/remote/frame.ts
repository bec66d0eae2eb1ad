/**
 * What a session over hearthd's Unix socket consists of: frames of a type (1 byte), a length (4 bytes, big-endian) and as
 * many bytes. Simple enough for a C program to speak: on a device `heart attach` will join an SSH session to it.
 */

export const FRAME = {
  /** From the client, first and once. See request.ts. */
  request: 1,
  /** From the client: bytes of its standard input. An empty one ends it. */
  input: 2,
  /** From the client: its terminal has another size now. */
  size: 3,
  /** To the client: the app has read the request and serves it. */
  ready: 16,
  output: 17,
  errorOutput: 18,
  /** To the client, last: the exit status, one byte. */
  exit: 19,
} as const;

export type FrameType = (typeof FRAME)[keyof typeof FRAME];

export interface Frame {
  type: FrameType;
  payload: Buffer;
}

export const HEADER_BYTES = 5;
/** More goes into several frames: what a peer announces must not make anybody allocate without end. */
export const MAX_PAYLOAD = 64 * 1024;

const TYPES: ReadonlySet<number> = new Set(Object.values(FRAME));

/** @param payload at most MAX_PAYLOAD bytes */
export function encodeFrame(type: FrameType, payload: Uint8Array = new Uint8Array()): Buffer {
  if (payload.length > MAX_PAYLOAD) throw new RangeError(`a frame holds ${MAX_PAYLOAD} bytes at most`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  frame.writeUInt8(type, 0);
  frame.writeUInt32BE(payload.length, 1);
  frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Bytes of a stream, of any number, as the frames that it needs. */
export function encodeStream(type: FrameType, bytes: Uint8Array): Buffer {
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += MAX_PAYLOAD)
    frames.push(encodeFrame(type, bytes.subarray(at, at + MAX_PAYLOAD)));
  return Buffer.concat(frames);
}

/** Cuts what arrives into frames, wherever it was cut on its way. Total: never throws. */
export class FrameReader {
  #waiting: Buffer = Buffer.alloc(0);
  #broken = false;

  /** The frames that are complete now; undefined, then and ever after, when the bytes are no frames. */
  push(bytes: Uint8Array): Frame[] | undefined {
    if (this.#broken) return undefined;
    let rest = this.#waiting.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#waiting, bytes]);
    const frames: Frame[] = [];
    while (rest.length >= HEADER_BYTES) {
      const type = rest.readUInt8(0);
      const length = rest.readUInt32BE(1);
      if (!TYPES.has(type) || length > MAX_PAYLOAD) {
        this.#broken = true;
        this.#waiting = Buffer.alloc(0);
        return undefined;
      }
      if (rest.length < HEADER_BYTES + length) break;
      frames.push({
        type: type as FrameType,
        payload: rest.subarray(HEADER_BYTES, HEADER_BYTES + length),
      });
      rest = rest.subarray(HEADER_BYTES + length);
    }
    this.#waiting = rest;
    return frames;
  }
}
