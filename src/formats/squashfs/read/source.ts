import { FormatError } from '../../../errors.ts';

/**
 * Reads `length` bytes at `offset` of an image. Fewer bytes than asked for mean that it ends there. What it throws comes
 * through as it is.
 */
export type ReadImage = (offset: number, length: number) => Uint8Array | Promise<Uint8Array>;

/** What is wrong with an image, and where in it. */
export function damaged(message: string, offset: number, expected?: string): FormatError {
  return new FormatError('squashfs', message, { offset, ...(expected === undefined ? {} : { expected }) });
}

/** @throws FormatError when the image ends before that */
export async function readExactly(read: ReadImage, offset: number, length: number): Promise<Buffer> {
  const bytes = await read(offset, length);
  if (bytes.length !== length)
    throw damaged(`ends ${length - bytes.length} bytes too early`, offset, `${length} bytes there`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
