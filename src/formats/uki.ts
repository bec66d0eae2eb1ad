import { FormatError, FwError } from '../errors.ts';
import { MAX_SECTIONS, type Pe, type PeSection, peChecksum, readPe, SECTION_HEADER_SIZE } from './pe.ts';

/** The sections that Hearth uses of those systemd-stub(7) knows. */
export type UkiSectionName = '.osrel' | '.cmdline' | '.uname' | '.linux' | '.initrd';

export interface UkiSection {
  name: UkiSectionName;
  bytes: Uint8Array;
}

export interface UkiInput {
  /** systemd's `linuxx64.efi.stub` or `linuxaa64.efi.stub`. */
  stub: Uint8Array;
  /** In the order in which they are to lie in the file; each name once. */
  sections: readonly UkiSection[];
  /** Pads the file with zeros to exactly this many bytes, so that an update can rewrite it in place. */
  size?: number;
}

export interface UkiSectionContent {
  name: string;
  /** Offset of the content in the file, bytes. */
  offset: number;
  /** Offset in memory from the image's base, bytes. */
  virtualAddress: number;
  /** A view of the file's bytes, without the padding. */
  bytes: Uint8Array;
}

/** The stub finds sections by their place in memory, and firmware maps an image by pages. */
const PAGE = 4096;
const INITIALIZED_DATA = 0x40;
const READABLE = 0x40000000;
const FOUR_GIB = 2 ** 32;

/**
 * Makes a unified kernel image: systemd's EFI stub with a kernel, its command line and its initramfs as further
 * PE sections (https://uapi-group.org/specifications/specs/unified_kernel_image/). Sections follow the stub's in
 * memory, each on a page of its own, and in the file, aligned as the stub asks. Unsigned: a stub with an
 * Authenticode signature is refused. Symbols that older stubs carry behind their last section are dropped.
 *
 * @throws {FormatError} `bad-pe`, `bad-uki` when the stub cannot take the sections.
 * @throws {FwError} `uki-too-large` when the image does not fit `size`.
 */
export function writeUki({ stub, sections, size }: UkiInput): Uint8Array<ArrayBuffer> {
  const pe = readPe(stub);
  checkStub(stub, pe, sections);
  const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;
  const fileUnit = pe.fileAlignment;
  const memoryUnit = Math.max(pe.sectionAlignment, PAGE);

  let fileEnd = roundUp(
    Math.max(pe.sizeOfHeaders, ...withBytes(pe).map((s) => s.rawOffset + s.rawSize)),
    fileUnit,
  );
  let memoryEnd = Math.max(pe.sizeOfHeaders, ...pe.sections.map((s) => s.virtualAddress + s.virtualSize));
  const stubEnd = Math.min(fileEnd, stub.length);
  const placed = sections.map((section) => {
    const place = { ...section, offset: fileEnd, address: roundUp(memoryEnd, memoryUnit) };
    fileEnd += roundUp(section.bytes.length, fileUnit);
    memoryEnd = place.address + section.bytes.length;
    return place;
  });
  const imageSize = roundUp(memoryEnd, memoryUnit);
  if (imageSize >= FOUR_GIB)
    throw new FormatError('uki', `the image would take ${imageSize} bytes of memory`);
  if (size !== undefined && fileEnd > size) throw tooLarge(sections, fileEnd, size);

  const out = new Uint8Array(size ?? fileEnd);
  out.set(stub.subarray(0, stubEnd));
  const view = new DataView(out.buffer);
  const add = (at: number, value: number) => view.setUint32(at, view.getUint32(at, true) + value, true);
  placed.forEach(({ name, bytes, offset, address }, i) => {
    out.set(bytes, offset);
    const header = pe.at.sectionTable + (pe.sections.length + i) * SECTION_HEADER_SIZE;
    out.set(new TextEncoder().encode(name), header);
    view.setUint32(header + 8, bytes.length, true); // VirtualSize: the exact length, which the stub goes by
    view.setUint32(header + 12, address, true);
    view.setUint32(header + 16, roundUp(bytes.length, fileUnit), true);
    view.setUint32(header + 20, offset, true);
    view.setUint32(header + 36, INITIALIZED_DATA | READABLE, true);
    add(pe.at.optional + 8, roundUp(bytes.length, fileUnit)); // SizeOfInitializedData
  });
  const tableEnd = pe.at.sectionTable + (pe.sections.length + sections.length) * SECTION_HEADER_SIZE;
  view.setUint16(pe.at.coff + 2, pe.sections.length + sections.length, true);
  view.setUint32(pe.at.coff + 8, 0, true); // PointerToSymbolTable
  view.setUint32(pe.at.coff + 12, 0, true); // NumberOfSymbols
  view.setUint32(pe.at.optional + 56, imageSize, true);
  view.setUint32(pe.at.optional + 60, Math.max(pe.sizeOfHeaders, roundUp(tableEnd, fileUnit)), true);
  view.setUint32(pe.at.optional + 64, peChecksum(out, pe.at), true);
  return out;
}

/**
 * The sections of a unified kernel image, the stub's own (`.text` …) among them, in file order.
 * @throws {FormatError} `bad-pe`.
 */
export function readUki(bytes: Uint8Array): UkiSectionContent[] {
  return readPe(bytes).sections.map(({ name, rawOffset, rawSize, virtualAddress, virtualSize }) => ({
    name,
    offset: rawOffset,
    virtualAddress,
    bytes: bytes.subarray(rawOffset, rawOffset + Math.min(rawSize, virtualSize)),
  }));
}

function checkStub(stub: Uint8Array, pe: Pe, sections: readonly UkiSection[]): void {
  if (pe.signed) {
    throw new FormatError('uki', 'the stub is signed, and adding sections would break its signature', {
      remedy: 'Use the stub without ".signed" in its name.',
    });
  }
  const names = [...pe.sections, ...sections].map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new FormatError('uki', `there would be two sections ${twice}`);
  const empty = sections.find(({ bytes }) => bytes.length === 0);
  if (empty) throw new FormatError('uki', `section ${empty.name} is empty`);

  // Headers have room up to where the first section begins, be it in the file or in memory.
  const tableEnd = pe.at.sectionTable + pe.sections.length * SECTION_HEADER_SIZE;
  const end = tableEnd + sections.length * SECTION_HEADER_SIZE;
  const limit = Math.min(
    ...withBytes(pe).map((s) => s.rawOffset),
    ...pe.sections.map((s) => s.virtualAddress),
  );
  const room = stub.subarray(tableEnd, end);
  if (end > limit || names.length > MAX_SECTIONS || room.some((byte) => byte !== 0)) {
    throw new FormatError('uki', `the stub has no room for ${sections.length} more section headers`, {
      expected: `${sections.length * SECTION_HEADER_SIZE} free bytes behind the section table`,
      offset: tableEnd,
    });
  }
}

/** The place in the file of a section without bytes in it means nothing. */
function withBytes(pe: Pe): PeSection[] {
  return pe.sections.filter(({ rawSize }) => rawSize > 0);
}

function tooLarge(sections: readonly UkiSection[], needed: number, size: number): FwError {
  const largest = sections.reduce((max, section) =>
    section.bytes.length > max.bytes.length ? section : max,
  );
  return new FwError(
    'uki-too-large',
    `the unified kernel image is ${needed - size} bytes too large for its slot`,
    {
      where: `section ${largest.name}, the largest: ${largest.bytes.length} bytes`,
      expected: `at most ${size} bytes in all; there are ${needed}`,
      remedy:
        'Put fewer modules into the initramfs, or make the slot larger (devices must then be flashed anew).',
    },
  );
}
