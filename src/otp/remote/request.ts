import { MAX_PAYLOAD } from './frame.ts';

export interface Size {
  columns: number;
  rows: number;
}

/** A terminal that the client has put into raw mode. */
export interface Terminal extends Size {
  /** The client's TERM. */
  type: string;
}

/** What a client wants: like the start of a program, a name, arguments, and perhaps a terminal. */
export interface Request {
  verb: string;
  argv: readonly string[];
  terminal: Terminal | undefined;
}

/** Of the protocol. An app and a client of different releases may meet. */
const VERSION = '1';
const DEFAULT_SIZE: Size = { columns: 80, rows: 24 };

/**
 * Texts that are separated by NUL, which none of them can hold: version, TERM or nothing, columns, rows, verb, arguments.
 * @returns undefined when it is longer than a frame, or has a NUL in it
 */
export function encodeRequest({ verb, argv, terminal }: Request): Buffer | undefined {
  const { columns, rows } = terminal ?? DEFAULT_SIZE;
  const texts = [VERSION, terminal?.type ?? '', String(columns), String(rows), verb, ...argv];
  if (texts.some((text) => text.includes('\0'))) return undefined;
  const bytes = Buffer.from(texts.join('\0'));
  return bytes.length > MAX_PAYLOAD ? undefined : bytes;
}

/** The request, or undefined when the bytes are none that this version serves. Total: never throws. */
export function parseRequest(payload: Buffer): Request | undefined {
  const [version, type = '', columns, rows, verb = '', ...argv] = payload.toString('utf8').split('\0');
  if (version !== VERSION || verb === '') return undefined;
  const size = sizeOf(Number(columns), Number(rows));
  if (!size) return undefined;
  return { verb, argv, terminal: type === '' ? undefined : { type, ...size } };
}

/** Columns and rows, 2 bytes each, big-endian. */
export function encodeSize({ columns, rows }: Size): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16BE(clamp(columns), 0);
  bytes.writeUInt16BE(clamp(rows), 2);
  return bytes;
}

export function parseSize(payload: Buffer): Size | undefined {
  return payload.length === 4 ? sizeOf(payload.readUInt16BE(0), payload.readUInt16BE(2)) : undefined;
}

/** A terminal of no columns is one whose size nobody knows: ptys begin so. */
function sizeOf(columns: number, rows: number): Size | undefined {
  if (![columns, rows].every((n) => Number.isInteger(n) && n >= 0 && n <= 0xffff)) return undefined;
  return columns === 0 || rows === 0 ? DEFAULT_SIZE : { columns, rows };
}

function clamp(n: number): number {
  return Math.min(0xffff, Math.max(0, Math.trunc(n) || 0));
}
