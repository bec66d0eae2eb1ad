import { FormatError } from '../errors.ts';

/** e_machine of the two processors that Hearth builds for; any other by its number in the ELF specification. */
export type ElfMachine = 'x86_64' | 'aarch64' | number;
export type ElfType = 'rel' | 'exec' | 'dyn' | 'core' | number;

/** What a program or shared library is, and what it needs from others to be loaded. */
export interface Elf {
  machine: ElfMachine;
  /** A position-independent program is 'dyn', as a shared library is; the program has an interpreter. */
  type: ElfType;
  /** Path of the dynamic loader (PT_INTERP). */
  interpreter?: string;
  /** The library's own name (DT_SONAME). */
  soname?: string;
  /** Names of needed libraries, in search order (DT_NEEDED). */
  needed: string[];
  /** Library search paths as written, with `$ORIGIN` and colons (DT_RPATH, DT_RUNPATH). */
  rpath?: string;
  runpath?: string;
  /** Versions that the needed libraries must define, e.g. `libc.so.6` -> `GLIBC_2.38` (version needs section). */
  versions: Map<string, string[]>;
}

export interface ElfSection {
  name: string;
  /** sh_type. */
  type: number;
  /** Index of the related section: for a symbol table, its strings. */
  link: number;
  /** A view of the file's bytes; empty for sections without (SHT_NOBITS). */
  bytes: Uint8Array;
}

// System V ABI, chapters 4 and 5 (https://gabi.xinuos.com/), and elf(5).
const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;
const SECTION_HEADER_SIZE = 64;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const SHT_NOBITS = 8;
// Far above what real files have (a name is a path at most), and low enough that tables whose entries overlap,
// which the format allows, cannot make a small file cost hours.
const MAX_NAME = 4096;
const MAX_ENTRIES = 4096;
const DT = { needed: 1, strtab: 5, strsz: 10, soname: 14, rpath: 15, runpath: 29 } as const;
const DT_VERNEED = 0x6ffffffe;
const DT_VERNEEDNUM = 0x6fffffff;
const MACHINES: Record<number, ElfMachine> = { 62: 'x86_64', 183: 'aarch64' };
const TYPES: Record<number, ElfType> = { 1: 'rel', 2: 'exec', 3: 'dyn', 4: 'core' };

interface Segment {
  type: number;
  offset: number;
  address: number;
  fileSize: number;
}

/** True when the bytes begin with ELF's magic number: any class, any byte order. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** The machine that the file is for; undefined for what is not a 64-bit little-endian ELF file at all. */
export function machineOf(bytes: Uint8Array): ElfMachine | undefined {
  if (!isElf(bytes) || bytes.length < HEADER_SIZE || bytes[4] !== 2 || bytes[5] !== 1) return undefined;
  const machine = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint16(18, true);
  return MACHINES[machine] ?? machine;
}

/**
 * Reads a 64-bit little-endian ELF file. Works on stripped files: only program headers are looked at.
 * @throws {FormatError} `bad-elf`.
 */
export function readElf(bytes: Uint8Array): Elf {
  const view = viewOf(bytes);
  const segments = readSegments(view);
  const machine = view.getUint16(18, true);
  const type = view.getUint16(16, true);
  const elf: Elf = {
    machine: MACHINES[machine] ?? machine,
    type: TYPES[type] ?? type,
    needed: [],
    versions: new Map(),
  };
  const interpreter = segments.find((segment) => segment.type === PT_INTERP);
  if (interpreter)
    elf.interpreter = stringAt(bytes, interpreter.offset, interpreter.offset + interpreter.fileSize);
  const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
  if (dynamic) readDynamic(view, segments, dynamic, elf);
  return elf;
}

/**
 * Cuts off what is never loaded: symbols, debug information, section headers (what `strip` and `sstrip` do
 * together, 126.6 -> 108.5 MB for Node). The bytes that are loaded, and their offsets, stay as they are.
 * Not for object files and kernel modules, which live by their sections.
 * @throws {FormatError} `bad-elf`.
 */
export function stripElf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const view = viewOf(bytes);
  const segments = readSegments(view);
  if (!segments.some((segment) => segment.type === PT_LOAD)) {
    throw new FormatError('elf', 'a file without loaded segments cannot be stripped', {
      expected: 'a program or a shared library',
    });
  }
  const headersEnd = uint64(view, 32) + segments.length * PROGRAM_HEADER_SIZE;
  const end = segments.reduce((max, { offset, fileSize }) => Math.max(max, offset + fileSize), headersEnd);
  // Not slice(): on a Buffer that is a view, and the caller's bytes would be changed.
  const stripped = new Uint8Array(bytes.subarray(0, end));
  const header = new DataView(stripped.buffer);
  header.setBigUint64(40, 0n, true); // e_shoff
  header.setUint16(60, 0, true); // e_shnum
  header.setUint16(62, 0, true); // e_shstrndx
  return stripped;
}

/**
 * The sections of an object file, in their order (the first is ELF's empty one), for files that have headers of them.
 * @throws {FormatError} `bad-elf`.
 */
export function elfSections(bytes: Uint8Array): ElfSection[] {
  const view = viewOf(bytes);
  const at = uint64(view, 40);
  const count = view.getUint16(60, true);
  if (count > 0 && view.getUint16(58, true) !== SECTION_HEADER_SIZE) throw damaged('the section headers', 58);
  if (at + count * SECTION_HEADER_SIZE > bytes.length) throw damaged('the section headers', 40);
  const raw = Array.from({ length: count }, (_, i) => {
    const header = at + i * SECTION_HEADER_SIZE;
    const type = view.getUint32(header + 4, true);
    const stored = i > 0 && type !== SHT_NOBITS;
    const offset = stored ? uint64(view, header + 24) : 0;
    const size = stored ? uint64(view, header + 32) : 0;
    if (offset + size > bytes.length) throw damaged(`section ${i}`, header);
    return {
      nameAt: view.getUint32(header, true),
      type,
      link: view.getUint32(header + 40, true),
      bytes: bytes.subarray(offset, offset + size),
    };
  });
  const names = raw[view.getUint16(62, true)]?.bytes;
  return raw.map(({ nameAt, ...section }) => ({
    name: names && nameAt < names.length ? stringAt(names, nameAt, names.length) : '',
    ...section,
  }));
}

function viewOf(bytes: Uint8Array): DataView {
  if (!isElf(bytes) || bytes.length < HEADER_SIZE) {
    throw new FormatError('elf', 'this is not an ELF file', { offset: 0, expected: 'the bytes 7f 45 4c 46' });
  }
  if (bytes[4] !== 2 || bytes[5] !== 1) {
    throw new FormatError('elf', 'this ELF file is for another kind of machine', {
      offset: 4,
      expected: '64 bits, little-endian',
    });
  }
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readSegments(view: DataView): Segment[] {
  const at = uint64(view, 32);
  const count = view.getUint16(56, true);
  if (count > 0 && view.getUint16(54, true) !== PROGRAM_HEADER_SIZE) throw damaged('the program headers', 54);
  if (at + count * PROGRAM_HEADER_SIZE > view.byteLength) throw damaged('the program headers', 32);
  return Array.from({ length: count }, (_, i) => {
    const header = at + i * PROGRAM_HEADER_SIZE;
    const segment = {
      type: view.getUint32(header, true),
      offset: uint64(view, header + 8),
      address: uint64(view, header + 16),
      fileSize: uint64(view, header + 32),
    };
    if (segment.offset + segment.fileSize > view.byteLength) throw damaged(`segment ${i}`, header);
    return segment;
  });
}

function readDynamic(view: DataView, segments: Segment[], dynamic: Segment, elf: Elf): void {
  const entries: [number, number][] = [];
  for (let at = dynamic.offset; at + 16 <= dynamic.offset + dynamic.fileSize; at += 16) {
    const tag = uint64(view, at);
    if (tag === 0) break;
    if (entries.length === MAX_ENTRIES) throw damaged('the dynamic section', at);
    entries.push([tag, uint64(view, at + 8)]);
  }
  const value = (tag: number) => entries.find(([t]) => t === tag)?.[1];
  const strings = value(DT.strtab);
  if (strings === undefined) return;
  const start = loadedOffset(segments, strings);
  const end = start + (value(DT.strsz) ?? 0);
  if (end > view.byteLength) throw damaged('the table of dynamic strings', start);
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const string = (at: number): string => {
    if (start + at >= end) throw damaged('a reference to a dynamic string', start);
    return stringAt(bytes, start + at, end);
  };
  for (const [tag, at] of entries) {
    if (tag === DT.needed) elf.needed.push(string(at));
    if (tag === DT.soname) elf.soname = string(at);
    if (tag === DT.rpath) elf.rpath = string(at);
    if (tag === DT.runpath) elf.runpath = string(at);
  }
  const needs = value(DT_VERNEED);
  if (needs !== undefined)
    readVersionNeeds(view, loadedOffset(segments, needs), value(DT_VERNEEDNUM) ?? 0, string, elf);
}

/** Two nested chains of 16-byte records, linked by relative offsets (Linux Standard Base 5.0, 10.7.6). */
function readVersionNeeds(
  view: DataView,
  start: number,
  count: number,
  string: (at: number) => string,
  elf: Elf,
): void {
  const check = (at: number): number => {
    if (at + 16 > view.byteLength) throw damaged('the table of needed versions', at);
    return at;
  };
  let total = 0;
  let need = check(start);
  for (let left = Math.min(count, MAX_ENTRIES); left > 0; left--) {
    const versions: string[] = [];
    let aux = need + view.getUint32(need + 8, true);
    for (let more = view.getUint16(need + 2, true); more > 0; more--) {
      if (++total > MAX_ENTRIES) throw damaged('the table of needed versions', start);
      versions.push(string(view.getUint32(check(aux) + 8, true)));
      const next = view.getUint32(aux + 12, true);
      if (next === 0) break;
      aux += next;
    }
    const library = string(view.getUint32(need + 4, true));
    elf.versions.set(library, [...(elf.versions.get(library) ?? []), ...versions]);
    const next = view.getUint32(need + 12, true);
    if (next === 0) break;
    need = check(need + next);
  }
}

/** A 64-bit number; those beyond 2^53 lose their last digits, and are far outside of any file all the same. */
function uint64(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

/** Where in the file the byte at a virtual address lies. */
function loadedOffset(segments: Segment[], address: number): number {
  for (const segment of segments) {
    if (segment.type !== PT_LOAD || address < segment.address) continue;
    if (address < segment.address + segment.fileSize) return segment.offset + (address - segment.address);
  }
  throw new FormatError('elf', `address 0x${address.toString(16)} is not in any loaded segment`);
}

function stringAt(bytes: Uint8Array, start: number, end: number): string {
  const rest = bytes.subarray(start, Math.min(end, start + MAX_NAME));
  const nul = rest.indexOf(0);
  if (nul < 0) throw damaged('a string', start);
  return new TextDecoder().decode(rest.subarray(0, nul));
}

function damaged(what: string, offset: number): FormatError {
  return new FormatError('elf', `${what} leads out of the file, or is damaged`, { offset });
}
