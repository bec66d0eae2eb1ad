import { PortError, PortFrameError } from './errors.ts';

/** How a stream of bytes is cut into frames, and frames become bytes. */
export interface Framing<F> {
  /** Hands over what the bytes complete, in order. @throws PortError 'port-frame', when what came before is handed over */
  push(bytes: Buffer, arrived: (frame: F) => void): void;
  /** The stream has ended: what is left over. @throws PortError 'port-frame' when a frame was cut off */
  end(): F[];
  /** @throws PortFrameError when it cannot be sent as a frame */
  encode(frame: F): Buffer;
}

/** A length of 1, 2 or 4 bytes, big-endian, before each frame: `{packet, N}` of Erlang. */
export function packets(lengthBytes: 1 | 2 | 4, maxFrame: number): Framing<Buffer> {
  const most = Math.min(maxFrame, 2 ** (8 * lengthBytes) - 1);
  const pending = new Pending();
  return {
    push(bytes, arrived) {
      pending.add(bytes);
      while (pending.length >= lengthBytes) {
        const length = pending.peek().readUIntBE(0, lengthBytes);
        // Before its bytes come: a length that is garbage must not make memory out of nothing.
        if (length > most) throw new PortError('port-frame', tooLong(`a frame of ${length} bytes`, most));
        if (pending.length < lengthBytes + length) break;
        arrived(pending.take(lengthBytes + length).subarray(lengthBytes));
      }
    },
    end() {
      if (pending.length === 0) return [];
      throw new PortError('port-frame', `the output ended within a frame, ${pending.length} bytes into it`);
    },
    encode(frame) {
      if (frame.length > most) throw new PortFrameError(tooLong(`a frame of ${frame.length} bytes`, most));
      const bytes = Buffer.allocUnsafe(lengthBytes + frame.length);
      bytes.writeUIntBE(frame.length, 0, lengthBytes);
      bytes.set(frame, lengthBytes);
      return bytes;
    },
  };
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Lines of UTF-8, without their ends, `\n` or `\r\n`. What follows the last one is a line, too. */
export function lines(maxLine: number): Framing<string> {
  const pending = new Pending();
  const text = (line: Buffer) =>
    line.toString('utf8', 0, line.at(-1) === RETURN ? line.length - 1 : line.length);
  return {
    push(bytes, arrived) {
      let from = 0;
      for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
        if (pending.length + at - from > maxLine)
          throw new PortError('port-frame', tooLong('a line', maxLine));
        pending.add(bytes.subarray(from, at));
        arrived(text(pending.take(pending.length)));
        from = at + 1;
      }
      pending.add(bytes.subarray(from));
      if (pending.length > maxLine) throw new PortError('port-frame', tooLong('a line', maxLine));
    },
    end: () => (pending.length === 0 ? [] : [text(pending.take(pending.length))]),
    encode(line) {
      if (line.includes('\n')) throw new PortFrameError('a line to be sent has a line break in it');
      if (Buffer.byteLength(line) > maxLine) throw new PortFrameError(tooLong('a line', maxLine));
      return Buffer.from(`${line}\n`);
    },
  };
}

/** Whatever comes, as it comes. */
export const raw: Framing<Buffer> = {
  push: (bytes, arrived) => arrived(bytes),
  end: () => [],
  encode: (bytes) => bytes,
};

function tooLong(what: string, most: number): string {
  return `${what} is more than this port takes: ${most} bytes`;
}

/**
 * Bytes that wait for the rest of their frame. Nothing is copied while a frame is in one piece; pieces are copied together as
 * they come, into twice the room each time: a frame that comes byte by byte takes no more memory than any other.
 */
class Pending {
  length = 0;
  #bytes: Buffer = Buffer.alloc(0);
  /** Whether they are a copy of ours, with room behind them. */
  #copied = false;

  add(bytes: Buffer): void {
    const length = this.length + bytes.length;
    if (this.length === 0) {
      this.#bytes = bytes;
      this.#copied = false;
    } else if (bytes.length > 0) {
      if (!this.#copied || length > this.#bytes.length) this.#grow(Math.max(length, 2 * this.length));
      bytes.copy(this.#bytes, this.length);
    }
    this.length = length;
  }

  /** At least `length` bytes; they stay. */
  peek(): Buffer {
    return this.#bytes;
  }

  take(count: number): Buffer {
    const taken = this.#bytes.subarray(0, count);
    const rest = this.#bytes.subarray(count, this.length);
    // What follows a large frame must not hold all of its room.
    this.#bytes = this.#copied ? Buffer.from(rest) : rest;
    this.#copied = false;
    this.length -= count;
    return taken;
  }

  #grow(room: number): void {
    const bytes = Buffer.allocUnsafe(room);
    this.#bytes.copy(bytes, 0, 0, this.length);
    this.#bytes = bytes;
    this.#copied = true;
  }
}
