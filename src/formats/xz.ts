import xz from 'xz-decompress';
import { FormatError } from '../errors.ts';

// The .xz file format 1.2.1, sections 2.1 and 4: https://tukaani.org/xz/xz-file-format.txt
const HEADER_SIZE = 12;
const FOOTER_SIZE = 12;
const HEADER_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
const FOOTER_MAGIC = [0x59, 0x5a];

export interface XzOptions {
  /** The most bytes that the result may have; a file that declares more is refused before memory is taken. */
  maxBytes?: number;
}

/** True when the bytes begin as an .xz file does. */
export function isXz(bytes: Uint8Array): boolean {
  return HEADER_MAGIC.every((value, i) => bytes[i] === value);
}

/**
 * Unpacks an .xz file of one stream (what `xz`, dpkg and the kernel's module build write); concatenated streams
 * and stream padding are refused. About 3 ms for a kernel module, 30 MB/s for what hardly compresses.
 *
 * Dictionaries up to 64 MiB (`xz -9`), checks CRC32, CRC64 or none. The file's index says how long the result is,
 * so that memory is taken once, and a file that unpacks to anything else is refused.
 *
 * @throws {FormatError} `bad-xz` when the bytes are not such a file, or unpack to more than `maxBytes` (default 1 GiB).
 */
export async function xzDecompress(
  bytes: Uint8Array,
  options: XzOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const maxBytes = options.maxBytes ?? 2 ** 30;
  const size = declaredSize(bytes);
  if (size > maxBytes) {
    throw new FormatError('xz', `the file unpacks to ${size} bytes`, {
      expected: `at most ${maxBytes} bytes`,
    });
  }
  const out = new Uint8Array(size);
  let filled = 0;
  const reader = decoder(bytes).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (value.length > size - filled) throw wrongSize(size);
      out.set(value, filled);
      filled += value.length;
    }
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    throw new FormatError('xz', 'the data is corrupt', { cause });
  } finally {
    // The decoder lets one stream run at a time, in the whole process: one that is left half-read blocks all others.
    await reader.cancel().catch(() => undefined);
  }
  if (filled !== size) throw wrongSize(size);
  return out;
}

function decoder(bytes: Uint8Array): ReadableStream<Uint8Array> {
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(bytes);
      controller.close();
    },
  });
  return new xz.XzReadableStream(source);
}

function wrongSize(size: number): FormatError {
  return new FormatError('xz', 'the data does not have the length that the index gives', {
    expected: `${size} bytes in one stream`,
  });
}

/** The sum of the uncompressed sizes in the index, which stands at the end of the file. */
function declaredSize(bytes: Uint8Array): number {
  const footer = bytes.length - FOOTER_SIZE;
  if (footer < HEADER_SIZE || !isXz(bytes) || !FOOTER_MAGIC.every((v, i) => bytes[footer + 10 + i] === v)) {
    throw new FormatError('xz', 'this is not an .xz file, or it is truncated', {
      expected: 'the magic bytes of an .xz stream at both ends',
    });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const index = footer - (view.getUint32(footer + 4, true) + 1) * 4;
  if (index < HEADER_SIZE || bytes[index] !== 0) {
    throw new FormatError('xz', 'the index is not where the footer says', { offset: footer + 4 });
  }
  let at = index + 1;
  // Multibyte integers, section 1.2: seven bits a byte, the least significant first.
  const readInteger = (): number => {
    let value = 0;
    for (let scale = 1; at < footer; scale *= 128) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) break;
      if (byte < 0x80) return value;
    }
    throw new FormatError('xz', 'the index holds a number that is too long', { offset: at });
  };
  let size = 0;
  for (let records = readInteger(); records > 0; records--) {
    readInteger(); // the block's compressed size
    size += readInteger();
  }
  return size;
}
