import { FormatError } from '../errors.ts';

/**
 * POSIX.1-1988 ustar headers for regular files, and nothing else: no directories, links, prefixes, pax or GNU
 * extensions, no file above 8 GiB. Owner, mode and time are constants, so a header is a function of name and
 * size alone: a reader can build the one header that is right and compare all 512 bytes.
 * Source: IEEE Std 1003.1, pax, "ustar Interchange Format".
 */
export const TAR_BLOCK = 512;
/** Two zero blocks end an archive. */
export const TAR_END_SIZE = 2 * TAR_BLOCK;
/** Eleven octal digits. */
export const TAR_MAX_SIZE = 8 ** 11 - 1;

const NAME_LENGTH = 100;
const MODE = 0o644;
/** 1980-01-01T00:00:00Z. GNU tar warns of files as old as 1970. */
const MTIME = 315_532_800;

interface Field {
  offset: number;
  length: number;
}
const FIELD = {
  name: { offset: 0, length: NAME_LENGTH },
  mode: { offset: 100, length: 8 },
  uid: { offset: 108, length: 8 },
  gid: { offset: 116, length: 8 },
  size: { offset: 124, length: 12 },
  mtime: { offset: 136, length: 12 },
  checksum: { offset: 148, length: 8 },
  type: { offset: 156, length: 1 },
  linkName: { offset: 157, length: 100 },
  magic: { offset: 257, length: 8 },
  major: { offset: 329, length: 8 },
  minor: { offset: 337, length: 8 },
} as const satisfies Record<string, Field>;

const MAGIC = 'ustar\x0000';
const REGULAR = '0';

/** The 512-byte header of a regular file of `size` bytes. `name` is ASCII, at most 100 bytes. */
export function tarHeader(name: string, size: number): Buffer {
  if (name.length === 0 || name.length > NAME_LENGTH || !/^[\x21-\x7e]+$/.test(name)) {
    throw new FormatError('tar', `member name ${JSON.stringify(name)} cannot be written`, {
      expected: `1 to ${NAME_LENGTH} printable ASCII characters`,
    });
  }
  if (!Number.isSafeInteger(size) || size < 0 || size > TAR_MAX_SIZE) {
    throw new FormatError('tar', `member ${name} cannot have ${size} bytes`, {
      expected: `0 to ${TAR_MAX_SIZE} bytes`,
    });
  }
  const header = Buffer.alloc(TAR_BLOCK);
  header.write(name, FIELD.name.offset, 'latin1');
  writeOctal(header, FIELD.mode, MODE);
  writeOctal(header, FIELD.uid, 0);
  writeOctal(header, FIELD.gid, 0);
  writeOctal(header, FIELD.size, size);
  writeOctal(header, FIELD.mtime, MTIME);
  header.write(REGULAR, FIELD.type.offset, 'latin1');
  header.write(MAGIC, FIELD.magic.offset, 'latin1');
  writeOctal(header, FIELD.major, 0);
  writeOctal(header, FIELD.minor, 0);
  // Six digits, NUL, space: the one field that every tar writes so.
  header.write(`${checksum(header).toString(8).padStart(6, '0')}\0 `, FIELD.checksum.offset, 'latin1');
  return header;
}

/** How many zero bytes follow a member of `size` bytes. */
export function tarPadding(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/** What any tar's header says, for telling a person what stands where something else should. */
export interface TarMember {
  name: string;
  size: number;
  /** '0' or NUL: regular file; '1', '2': links; '5': folder; the rest in POSIX. */
  type: string;
  linkName: string;
}

/** Undefined when the 512 bytes are no tar header: wrong checksum, wrong magic, or a size that is no octal number. */
export function parseTarHeader(header: Uint8Array): TarMember | undefined {
  const bytes = Buffer.from(header.buffer, header.byteOffset, header.byteLength);
  if (bytes.length !== TAR_BLOCK || text(bytes, FIELD.magic).slice(0, 5) !== MAGIC.slice(0, 5))
    return undefined;
  const size = readOctal(bytes, FIELD.size);
  if (size === undefined || readOctal(bytes, FIELD.checksum) !== checksum(bytes)) return undefined;
  return {
    name: text(bytes, FIELD.name),
    size,
    type: String.fromCharCode(bytes[FIELD.type.offset] ?? 0),
    linkName: text(bytes, FIELD.linkName),
  };
}

function writeOctal(header: Buffer, field: Field, value: number): void {
  header.write(`${value.toString(8).padStart(field.length - 1, '0')}\0`, field.offset, 'latin1');
}

function readOctal(header: Buffer, field: Field): number | undefined {
  const digits = /^ *([0-7]{1,12})[\0 ]*$/.exec(
    header.toString('latin1', field.offset, field.offset + field.length),
  )?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

function text(header: Buffer, field: Field): string {
  return header.toString('latin1', field.offset, field.offset + field.length).replace(/\0.*$/s, '');
}

/** The sum of all bytes, with the checksum field itself taken as spaces. */
function checksum(header: Buffer): number {
  const { offset, length } = FIELD.checksum;
  let sum = length * 0x20;
  for (let at = 0; at < TAR_BLOCK; at++) {
    if (at < offset || at >= offset + length) sum += header[at] ?? 0;
  }
  return sum;
}
