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

/** Bytes of a stream: where it is cut means nothing. */
const STREAMS: ReadonlySet<number> = new Set([FRAME.input, FRAME.output, FRAME.errorOutput]);

/**
 * Cuts what arrives into frames, wherever it was cut on its way. A stream's bytes come out as they come in, perhaps in more frames
 * than went in: none is copied, and none is waited for. Total: never throws.
 */
export class FrameReader {
  readonly #header = Buffer.alloc(HEADER_BYTES);
  /** Bytes of the header that are there. */
  #known = 0;
  /** Bytes of the payload that are still to come. */
  #left = 0;
  /** What has come of a payload that has to be whole. */
  #parts: Buffer[] = [];
  #broken = false;

  /** The frames that are there now; undefined, then and ever after, when the bytes are no frames. */
  push(bytes: Uint8Array): Frame[] | undefined {
    const frames: Frame[] = [];
    for (let rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length); !this.#broken; ) {
      const taken =
        this.#known < HEADER_BYTES ? this.#takeHeader(rest, frames) : this.#takePayload(rest, frames);
      rest = rest.subarray(taken);
      if (rest.length === 0) break;
    }
    return this.#broken ? undefined : frames;
  }

  #takeHeader(bytes: Buffer, frames: Frame[]): number {
    const taken = bytes.copy(this.#header, this.#known);
    this.#known += taken;
    if (this.#known < HEADER_BYTES) return taken;
    this.#left = this.#header.readUInt32BE(1);
    this.#broken = !TYPES.has(this.#header.readUInt8(0)) || this.#left > MAX_PAYLOAD;
    if (this.#left === 0) this.#finish(Buffer.alloc(0), frames);
    return taken;
  }

  #takePayload(bytes: Buffer, frames: Frame[]): number {
    const part = bytes.subarray(0, this.#left);
    this.#left -= part.length;
    if (STREAMS.has(this.#header.readUInt8(0))) {
      if (this.#left === 0) this.#finish(part, frames);
      else if (part.length > 0) frames.push({ type: this.#type, payload: part });
    } else {
      this.#parts.push(part);
      if (this.#left === 0) this.#finish(Buffer.concat(this.#parts), frames);
    }
    return part.length;
  }

  #finish(payload: Buffer, frames: Frame[]): void {
    if (!this.#broken) frames.push({ type: this.#type, payload });
    this.#known = 0;
    this.#parts = [];
  }

  get #type(): FrameType {
    return this.#header.readUInt8(0) as FrameType;
  }
}
