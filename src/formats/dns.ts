import { isUtf8 } from 'node:buffer';
import { isIPv4, isIPv6 } from 'node:net';
import { FormatError } from '../errors.ts';

/**
 * Messages of DNS (RFC 1035), of what multicast DNS needs (RFC 6762, 6763): the class IN, the types A, PTR, TXT, AAAA, SRV and
 * NSEC; of other types the bytes are kept. Written with owner names compressed, and nothing else.
 */
export const TYPE = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33, NSEC: 47, ANY: 255 } as const;

export interface Question {
  /** Labels joined by dots; a dot or backslash inside a label has a backslash before it. */
  name: string;
  type: number;
  /** The answer may come to the asker alone. */
  unicast: boolean;
}

export type RecordData =
  | { type: 'A' | 'AAAA'; address: string }
  | { type: 'PTR'; target: string }
  | { type: 'SRV'; port: number; target: string }
  | { type: 'TXT'; strings: readonly string[] }
  /** The types that there are of a name; the others there are not. Types below 256. */
  | { type: 'NSEC'; types: readonly number[] }
  | { type: 'other'; code: number; bytes: Uint8Array };

export interface DnsRecord {
  name: string;
  ttlSeconds: number;
  /** What others remember of this name and type is to be replaced by this: set for records of one owner. */
  flush: boolean;
  data: RecordData;
}

export interface DnsMessage {
  id: number;
  response: boolean;
  /** More of the same message follows in another packet. */
  truncated: boolean;
  questions: readonly Question[];
  answers: readonly DnsRecord[];
  authorities: readonly DnsRecord[];
  additionals: readonly DnsRecord[];
}

const HEADER = 12;
const RESPONSE = 0x8000;
const AUTHORITATIVE = 0x0400;
const TRUNCATED = 0x0200;
/** Anything but a plain query and its plain answer: RFC 6762, 18.3 and 18.11 have such messages ignored. */
const OPCODE_AND_RCODE = 0x780f;
/** Above the class: the asker takes a unicast answer; the record replaces what was known. */
const TOP_BIT = 0x8000;
const CLASS_IN = 1;
const CLASS_ANY = 255;
const POINTER = 0xc000;
const MAX_LABEL = 63;
const MAX_NAME = 255;
const MAX_TTL_SECONDS = 0x7fff_ffff;

/** As DNS compares names. */
export function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

export function typeOf(data: RecordData): number {
  return data.type === 'other' ? data.code : TYPE[data.type];
}

/** The record's content as it travels, names written out. */
export function dataBytes(data: RecordData, owner: string): Buffer {
  switch (data.type) {
    case 'A':
    case 'AAAA':
      return addressBytes(data.address);
    case 'PTR':
      return nameBytes(data.target);
    case 'SRV':
      // Priority and weight 0.
      return Buffer.concat([uint16(0), uint16(0), uint16(data.port), nameBytes(data.target)]);
    case 'TXT': {
      // None at all is written as one that is empty: RFC 6763, 6.1.
      const strings = data.strings.length > 0 ? data.strings : [''];
      return Buffer.concat(strings.map((text) => counted(Buffer.from(text), 255, text)));
    }
    case 'NSEC':
      return Buffer.concat([nameBytes(owner), bitmap(data.types)]);
    case 'other':
      return Buffer.from(data.bytes);
  }
}

export function encodeMessage(message: Partial<DnsMessage>): Buffer {
  const { id = 0, response = false, truncated = false } = message;
  const { questions = [], answers = [], authorities = [], additionals = [] } = message;
  const flags = (response ? RESPONSE | AUTHORITATIVE : 0) | (truncated ? TRUNCATED : 0);
  const counts = [questions, answers, authorities, additionals].map(({ length }) => uint16(length));
  const parts = [uint16(id), uint16(flags), ...counts];
  const known = new Map<string, number>();
  let at = HEADER;
  const add = (...pieces: Buffer[]): void => {
    for (const piece of pieces) {
      parts.push(piece);
      at += piece.length;
    }
  };
  for (const { name, type, unicast } of questions)
    add(compressed(name, at, known), uint16(type), uint16(CLASS_IN | (unicast ? TOP_BIT : 0)));
  for (const { name, ttlSeconds, flush, data } of [...answers, ...authorities, ...additionals]) {
    const bytes = dataBytes(data, name);
    add(compressed(name, at, known), uint16(typeOf(data)), uint16(CLASS_IN | (flush ? TOP_BIT : 0)));
    add(uint32(ttlSeconds), uint16(bytes.length), bytes);
  }
  return Buffer.concat(parts);
}

/**
 * Undefined for what multicast DNS has to ignore: errors, updates and other operations. Records of other classes are left out.
 * @throws FormatError for what is no message
 */
export function decodeMessage(bytes: Uint8Array): DnsMessage | undefined {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const read = new Reader(buffer);
  const id = read.uint16();
  const flags = read.uint16();
  if (flags & OPCODE_AND_RCODE) return undefined;
  const counts = [read.uint16(), read.uint16(), read.uint16(), read.uint16()] as const;
  const questions = some(counts[0], () => question(read));
  const [answers, authorities, additionals] = [counts[1], counts[2], counts[3]].map((count) =>
    some(count, () => record(read)),
  ) as [DnsRecord[], DnsRecord[], DnsRecord[]];
  const sections = { questions, answers, authorities, additionals };
  return { id, response: (flags & RESPONSE) !== 0, truncated: (flags & TRUNCATED) !== 0, ...sections };
}

function some<T>(count: number, one: () => T | undefined): T[] {
  const all: T[] = [];
  for (let left = count; left > 0; left--) {
    const next = one();
    if (next) all.push(next);
  }
  return all;
}

function question(read: Reader): Question | undefined {
  const name = read.name();
  const type = read.uint16();
  const kind = read.uint16();
  const known = (kind & ~TOP_BIT) === CLASS_IN || (kind & ~TOP_BIT) === CLASS_ANY;
  return known ? { name, type, unicast: (kind & TOP_BIT) !== 0 } : undefined;
}

function record(read: Reader): DnsRecord | undefined {
  const name = read.name();
  const type = read.uint16();
  const kind = read.uint16();
  const ttlSeconds = Math.min(read.uint32(), MAX_TTL_SECONDS);
  const length = read.uint16();
  const end = read.at + length;
  read.within(end);
  const data = dataOf(type, length, read);
  if (read.at !== end) throw malformed(read.at, `record data up to byte ${end}`);
  if ((kind & ~TOP_BIT) !== CLASS_IN) return undefined;
  return { name, ttlSeconds, flush: (kind & TOP_BIT) !== 0, data };
}

function dataOf(type: number, length: number, read: Reader): RecordData {
  const end = read.at + length;
  switch (type) {
    case TYPE.A:
      return { type: 'A', address: addressText(read.bytes(4)) };
    case TYPE.AAAA:
      return { type: 'AAAA', address: addressText(read.bytes(16)) };
    case TYPE.PTR:
      return { type: 'PTR', target: read.name() };
    case TYPE.SRV: {
      read.bytes(4);
      return { type: 'SRV', port: read.uint16(), target: read.name() };
    }
    case TYPE.TXT: {
      const strings: string[] = [];
      while (read.at < end) strings.push(read.bytes(read.uint8()).toString('utf8'));
      return { type: 'TXT', strings: strings.filter((text) => text !== '') };
    }
    case TYPE.NSEC: {
      read.name();
      return { type: 'NSEC', types: typesOf(read.bytes(end - read.at)) };
    }
    default:
      return { type: 'other', code: type, bytes: Uint8Array.from(read.bytes(length)) };
  }
}

class Reader {
  readonly #buffer: Buffer;
  at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  within(end: number): void {
    if (end > this.#buffer.length) throw malformed(this.#buffer.length, `${end} bytes`);
  }

  bytes(length: number): Buffer {
    this.within(this.at + length);
    this.at += length;
    return this.#buffer.subarray(this.at - length, this.at);
  }

  uint8(): number {
    return this.bytes(1).readUInt8();
  }
  uint16(): number {
    return this.bytes(2).readUInt16BE();
  }
  uint32(): number {
    return this.bytes(4).readUInt32BE();
  }

  name(): string {
    const labels: string[] = [];
    const begin = this.at;
    let size = 1;
    /** Behind the name, once a pointer has led elsewhere. */
    let back: number | undefined;
    let from = begin;
    for (;;) {
      const length = this.uint8();
      if (length === 0) break;
      if (length >= POINTER >> 8) {
        const target = ((length << 8) | this.uint8()) & ~POINTER;
        back ??= this.at;
        // Ever further to the front: so it comes to an end.
        if (target >= from) throw malformed(this.at - 2, 'a pointer to what stands before it');
        this.at = from = target;
        continue;
      }
      size += length + 1;
      if (length > MAX_LABEL || size > MAX_NAME) throw malformed(this.at - 1, 'a name of at most 255 bytes');
      labels.push(labelText(this.bytes(length), begin));
    }
    if (back !== undefined) this.at = back;
    return labels.map(escaped).join('.');
  }
}

/** RFC 6762, 16: names are UTF-8. */
function labelText(bytes: Buffer, at: number): string {
  if (!isUtf8(bytes)) throw malformed(at, 'a name in UTF-8');
  return bytes.toString('utf8');
}

function escaped(label: string): string {
  return label.replaceAll(/[.\\]/g, '\\$&');
}

function labelsOf(name: string): string[] {
  return (name.match(/(?:\\.|[^.\\])+/gs) ?? []).map((label) => label.replaceAll(/\\(.)/gs, '$1'));
}

function nameBytes(name: string): Buffer {
  const labels = labelsOf(name).map((label) => counted(Buffer.from(label), MAX_LABEL, name));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

/** The name, as far as it has not been written yet. */
function compressed(name: string, at: number, known: Map<string, number>): Buffer {
  const labels = labelsOf(name);
  const parts: Buffer[] = [];
  let offset = at;
  for (let i = 0; i < labels.length; i++) {
    const rest = labels.slice(i).map(escaped).join('.').toLowerCase();
    const before = known.get(rest);
    if (before !== undefined) return Buffer.concat([...parts, uint16(POINTER | before)]);
    if (offset < POINTER >> 2) known.set(rest, offset);
    const part = counted(Buffer.from(labels[i] ?? ''), MAX_LABEL, name);
    parts.push(part);
    offset += part.length;
  }
  return Buffer.concat([...parts, Buffer.from([0])]);
}

/** RFC 4034, 4.1.2; one window is enough for types below 256. */
function bitmap(types: readonly number[]): Buffer {
  const bits = Buffer.alloc(Math.floor(Math.max(0, ...types) / 8) + 1);
  for (const type of types) bits[type >> 3] = (bits[type >> 3] ?? 0) | (0x80 >> (type & 7));
  return Buffer.concat([Buffer.from([0, bits.length]), bits]);
}

function typesOf(bytes: Buffer): number[] {
  const [window = 0, length = 0] = bytes;
  if (window !== 0) return [];
  const types: number[] = [];
  for (const [at, byte] of bytes.subarray(2, 2 + length).entries())
    for (let bit = 0; bit < 8; bit++) if (byte & (0x80 >> bit)) types.push(at * 8 + bit);
  return types;
}

function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const plain = address.replace(/%.*$/, '');
  if (!isIPv6(plain)) throw new TypeError(`not an address: ${address}`);
  // The URL parser writes every address in one way, the last four bytes in hexadecimal, too.
  const text = new URL(`http://[${plain}]/`).hostname.slice(1, -1);
  const [before = '', after] = text.split('::');
  const words = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16));
  const [head, tail] = [words(before), words(after ?? '')];
  const zeros = Array<number>(8 - head.length - tail.length).fill(0);
  return Buffer.concat([...head, ...zeros, ...tail].map(uint16));
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  const words = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16));
  return new URL(`http://[${words.join(':')}]/`).hostname.slice(1, -1);
}

function counted(bytes: Buffer, most: number, what: string): Buffer {
  if (bytes.length > most) throw new RangeError(`more than ${most} bytes in ${what}`);
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function malformed(offset: number, expected: string): FormatError {
  return new FormatError('dns', 'is no message', { offset, expected });
}
