import { FormatError } from '../errors.ts';

/**
 * The data types of SSH (RFC 4251, section 5) that keys, signatures and the agent protocol are made of: uint32
 * (big endian) and string (uint32 length, then bytes).
 */
export function wireUint32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

export function wireString(value: Uint8Array | string): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  return Buffer.concat([wireUint32(bytes.length), bytes]);
}

/** Reads such data front to back. Whatever does not fit is a FormatError of the given format. */
export class WireReader {
  readonly #format: string;
  readonly #bytes: Buffer;
  #at = 0;

  constructor(format: string, bytes: Uint8Array) {
    this.#format = format;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  bytes(length: number, what: string): Buffer {
    if (length > this.#bytes.length - this.#at) {
      this.fail(`${what} needs ${length} bytes, ${this.#bytes.length - this.#at} are left`);
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint32(what: string): number {
    return this.bytes(4, what).readUInt32BE();
  }

  string(what: string): Buffer {
    return this.bytes(this.uint32(`the length of ${what}`), what);
  }

  /** For names: bytes beyond ASCII come out as something that equals no name of ours. */
  text(what: string): string {
    return this.string(what).toString('latin1');
  }

  rest(): Buffer {
    return this.bytes(this.#bytes.length - this.#at, 'the rest');
  }

  end(what: string): void {
    if (this.#at !== this.#bytes.length) this.fail(`${this.#bytes.length - this.#at} bytes follow ${what}`);
  }

  fail(message: string): never {
    throw new FormatError(this.#format, message, { offset: this.#at });
  }
}
