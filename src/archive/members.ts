import { FwError } from '../errors.ts';
import { parseTarHeader, TAR_BLOCK, type TarMember, tarHeader } from '../formats/tar.ts';
import { MEMBER } from './layout.ts';

/**
 * There is one right header for each member, so headers are compared, not interpreted. What is interpreted here is
 * only the wrong one, to say what is wrong with it.
 */
const REGULAR_TYPES = ['0', '\0'];

/** @throws FwError with a `fw-member-…` code, or `fw-not-firmware`, `fw-unsigned` */
export function checkHeader(header: Uint8Array, name: string, size: number, seen: readonly string[]): void {
  if (tarHeader(name, size).equals(header)) return;
  const found = readHeader(header, name, seen);
  if (found.size !== size) {
    throw wrong('size', name, `has ${found.size} bytes; what is signed has ${size}`, `${size} bytes`);
  }
  throw wrong(
    'header',
    name,
    'has a header that was altered',
    'mode 0644, owner 0, 1980-01-01, nothing else',
  );
}

/**
 * The size of a member that no signed manifest tells of yet.
 * @throws as `checkHeader`; `fw-manifest-too-large`, `fw-signature-too-large`
 */
export function headerSize(header: Uint8Array, name: string, max: number, seen: readonly string[]): number {
  const found = readHeader(header, name, seen);
  if (found.size > max) {
    const kind = name === MEMBER.manifest ? 'manifest' : 'signature';
    throw new FwError(`fw-${kind}-too-large`, `${name} has ${found.size} bytes`, {
      where: name,
      expected: `at most ${max} bytes`,
    });
  }
  checkHeader(header, name, found.size, seen);
  return found.size;
}

/** After the last payload: two zero blocks. Anything else is a further member, or damage. */
export function checkEnd(blocks: Uint8Array, seen: readonly string[]): void {
  if (blocks.every((byte) => byte === 0)) return;
  const header = blocks.subarray(0, TAR_BLOCK);
  if (parseTarHeader(header)) readHeader(header, 'the end of the archive', seen);
  throw wrong('header', 'the end of the archive', 'is damaged', '1024 zero bytes');
}

export function checkPadding(padding: Uint8Array, name: string): void {
  if (padding.some((byte) => byte !== 0)) {
    throw wrong(
      'padding',
      name,
      'is followed by bytes that belong to nothing',
      'zero bytes up to the next block',
    );
  }
}

/** The header of a regular file with the expected name; or an error that says what stands there instead. */
function readHeader(header: Uint8Array, name: string, seen: readonly string[]): TarMember {
  const found = parseTarHeader(header);
  if (!found) {
    if (seen.length === 0) {
      throw new FwError('fw-not-firmware', 'this is not a .fw file', {
        where: 'byte 0',
        expected: 'a tar archive whose first member is manifest.json',
      });
    }
    if (header.every((byte) => byte === 0)) throw missing(name, 'the archive ends');
    throw wrong('header', name, 'has a damaged header', 'a ustar header with a right checksum');
  }
  const shown = JSON.stringify(found.name);
  if (found.name.startsWith('/') || found.name.includes('\\') || found.name.split('/').includes('..')) {
    throw wrong('unsafe', shown, 'would leave the folder that it is unpacked into', name);
  }
  if (!REGULAR_TYPES.includes(found.type)) {
    const link = found.linkName ? ` to ${JSON.stringify(found.linkName)}` : '';
    throw wrong(
      'type',
      shown,
      `is no regular file (tar type ${JSON.stringify(found.type)}${link})`,
      'regular files only',
    );
  }
  if (found.name === name) return found;
  if (seen.includes(found.name)) throw wrong('duplicate', shown, 'is there twice', name);
  if (name === MEMBER.signature) throw missing(name, `${shown} stands`);
  const known =
    Object.values(MEMBER).some((each) => each === found.name) || found.name.startsWith('payload/');
  if (known) throw wrong('order', shown, `stands where ${name} should be`, name);
  throw wrong('unknown', shown, 'does not belong into a firmware', name);
}

function missing(name: string, what: string): FwError {
  return name === MEMBER.signature
    ? new FwError('fw-unsigned', `the firmware is not signed: ${what} where its signature should be`, {
        where: name,
        expected: 'an SSH signature right after manifest.json',
        remedy: 'Build it with a signing key.',
      })
    : new FwError('fw-member-missing', `${what} where ${name} should be`, { where: name, expected: name });
}

function wrong(what: string, name: string, message: string, expected: string): FwError {
  return new FwError(`fw-member-${what}`, `member ${name} ${message}`, {
    where: name,
    expected,
    remedy: 'Fetch or build the file again.',
  });
}
