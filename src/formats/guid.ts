import { FormatError } from '../errors.ts';

const TEXT = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** The first three fields are little-endian numbers, the rest plain bytes (UEFI specification, appendix A). */
const ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

/**
 * The 16 bytes of a GUID as disks and EFI variables hold it.
 * @throws FormatError when the text is not of the form C12A7328-F81F-11D2-BA4B-00A0C93EC93B
 */
export function guidToBytes(text: string): Uint8Array {
  if (!TEXT.test(text)) {
    throw new FormatError('guid', `'${text}' is not a GUID`, {
      expected: '32 hexadecimal digits in groups of 8-4-4-4-12',
    });
  }
  const plain = Buffer.from(text.replaceAll('-', ''), 'hex');
  return Uint8Array.from(ORDER, (index) => plain[index] ?? 0);
}

/** The upper-case text of a GUID's 16 bytes. */
export function guidFromBytes(bytes: Uint8Array): string {
  const hex = Buffer.from(ORDER.map((index) => bytes[index] ?? 0))
    .toString('hex')
    .toUpperCase();
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
