import { FormatError } from '../errors.ts';

// Microsoft PE/COFF specification, https://learn.microsoft.com/windows/win32/debug/pe-format
/** Where the DOS stub holds the offset of the PE signature. */
const LFANEW = 0x3c;
const COFF_SIZE = 20;
const PE32_PLUS = 0x20b;
const SECURITY_DIRECTORY = 4;
export const SECTION_HEADER_SIZE = 40;
/** Windows' own loader takes no more, and firmware need not. */
export const MAX_SECTIONS = 96;

export interface PeSection {
  name: string;
  /** Offset in memory from the image's base, bytes. */
  virtualAddress: number;
  /** Bytes in memory; the content's exact length where the file's is padded. */
  virtualSize: number;
  /** Place in the file, bytes. */
  rawOffset: number;
  rawSize: number;
}

export interface Pe {
  machine: 'x86_64' | 'aarch64' | number;
  /** Offsets in the file of what a writer changes. */
  at: { coff: number; optional: number; sectionTable: number };
  sectionAlignment: number;
  fileAlignment: number;
  sizeOfHeaders: number;
  /** Carries an Authenticode signature, which any change breaks. */
  signed: boolean;
  sections: PeSection[];
}

const MACHINES: Record<number, Pe['machine']> = { 34404: 'x86_64', 43620: 'aarch64' };

/**
 * Reads the headers of a 64-bit PE image (PE32+), which is what UEFI programs are.
 * @throws {FormatError} `bad-pe`.
 */
export function readPe(bytes: Uint8Array): Pe {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < LFANEW + 4 || view.getUint16(0, true) !== 0x5a4d) throw notPe('MZ', 0);
  const signature = view.getUint32(LFANEW, true);
  const coff = signature + 4;
  const optional = coff + COFF_SIZE;
  // Up to the data directories, whose number is the last field read.
  if (signature % 4 !== 0) throw notPe('PE', LFANEW);
  if (optional + 112 > bytes.length || view.getUint32(signature, true) !== 0x4550) throw notPe('PE', LFANEW);
  if (view.getUint16(optional, true) !== PE32_PLUS) throw notPe('PE32+', optional);
  const machine = view.getUint16(coff, true);
  const sectionCount = view.getUint16(coff + 2, true);
  const sectionTable = optional + view.getUint16(coff + 16, true);
  const directories = view.getUint32(optional + 108, true);
  if (sectionCount > MAX_SECTIONS || sectionTable + sectionCount * SECTION_HEADER_SIZE > bytes.length) {
    throw new FormatError('pe', 'the section table leads out of the file', { offset: coff + 2 });
  }
  if (optional + 112 + directories * 8 > sectionTable) {
    throw new FormatError('pe', 'the data directories do not fit their header', { offset: optional + 108 });
  }
  const sizeOfHeaders = view.getUint32(optional + 60, true);
  if (sizeOfHeaders > bytes.length) {
    throw new FormatError('pe', `headers of ${sizeOfHeaders} bytes in a file of ${bytes.length}`, {
      offset: optional + 60,
    });
  }
  const security = optional + 112 + SECURITY_DIRECTORY * 8;
  return {
    machine: MACHINES[machine] ?? machine,
    at: { coff, optional, sectionTable },
    sectionAlignment: powerOfTwo(view, optional + 32, 2 ** 20),
    fileAlignment: powerOfTwo(view, optional + 36, 2 ** 16),
    sizeOfHeaders,
    signed: directories > SECURITY_DIRECTORY && view.getUint32(security, true) !== 0,
    sections: Array.from({ length: sectionCount }, (_, i) =>
      readSection(bytes, view, sectionTable + i * SECTION_HEADER_SIZE),
    ),
  };
}

/**
 * The image's checksum: the 16-bit words added with their carries, with the checksum's own field as zero, plus
 * the file's length. `at` is the optional header's offset.
 */
export function peChecksum(bytes: Uint8Array, at: { optional: number }): number {
  const field = at.optional + 64;
  let sum = 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const addWord = (word: number, sign: 1 | -1) => {
    sum += sign * ((word & 0xffff) + (word >>> 16));
  };
  // Two words at a time; carries are folded once, at the end: even 4 GiB of them stay a safe integer.
  const whole = bytes.length & ~3;
  for (let i = 0; i < whole; i += 4) addWord(view.getUint32(i, true), 1);
  for (let i = whole; i < bytes.length; i++) sum += (bytes[i] ?? 0) << (8 * (i % 2));
  addWord(view.getUint32(field, true), -1);
  while (sum > 0xffff) sum = (sum % 0x10000) + Math.floor(sum / 0x10000);
  return (sum + bytes.length) >>> 0;
}

function readSection(bytes: Uint8Array, view: DataView, header: number): PeSection {
  const section = {
    name: String.fromCharCode(...bytes.subarray(header, header + 8)).replace(/\0+$/, ''),
    virtualSize: view.getUint32(header + 8, true),
    virtualAddress: view.getUint32(header + 12, true),
    rawSize: view.getUint32(header + 16, true),
    rawOffset: view.getUint32(header + 20, true),
  };
  if (section.rawSize > 0 && section.rawOffset + section.rawSize > bytes.length) {
    throw new FormatError('pe', `section ${JSON.stringify(section.name)} leads out of the file`, {
      offset: header,
    });
  }
  return section;
}

function powerOfTwo(view: DataView, at: number, most: number): number {
  const value = view.getUint32(at, true);
  if (value === 0 || value > most || (value & (value - 1)) !== 0) {
    throw new FormatError('pe', `an alignment of ${value} bytes`, {
      offset: at,
      expected: `a power of two up to ${most}`,
    });
  }
  return value;
}

function notPe(what: string, offset: number): FormatError {
  return new FormatError('pe', 'this is not a 64-bit UEFI program', {
    offset,
    expected: `the ${what} signature`,
  });
}
