/**
 * The NBD protocol, as far as QEMU speaks it to an export without TLS and structured replies. All numbers are big-endian.
 * Source: doc/proto.md of the NetworkBlockDevice project.
 */

export const NBD_MAGIC = 0x4e42444d41474943n;
export const OPTION_MAGIC = 0x49484156454f5054n;
const OPTION_REPLY_MAGIC = 0x0003e889045565a9n;
const REQUEST_MAGIC = 0x25609513;
const REPLY_MAGIC = 0x67446698;

/** Of the handshake; the client's have the same values. */
export const HANDSHAKE = { fixedNewstyle: 1, noZeroes: 2 } as const;

export const OPTION = { exportName: 1, abort: 2, list: 3, info: 6, go: 7 } as const;

export const REPLY = {
  ack: 1,
  server: 2,
  info: 3,
  unsupported: 2 ** 31 + 1,
  invalid: 2 ** 31 + 3,
  unknownExport: 2 ** 31 + 6,
} as const;

export const INFO = { export: 0, blockSize: 3 } as const;

/** What the export can do: flush, writes that are durable when they are answered (FUA), trim, write zeroes. */
export const TRANSMISSION_FLAGS = 0b1 | 0b100 | 0b1000 | 0b10_0000 | 0b100_0000;

export const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3, trim: 4, writeZeroes: 6 } as const;

/** Of a command. `noHole` asks that zeros take room: here they take none, and none can be lacking. */
export const COMMAND_FLAG = { durable: 1, noHole: 2 } as const;

/** The protocol's own numbers, which are Linux's. */
export const ERRNO = { none: 0, invalid: 22, noSpace: 28 } as const;

/** Bytes of a request that are sent or asked for at once: what QEMU holds to. */
export const MAX_PAYLOAD = 32 * 1024 * 1024;
/** The name of an export is the longest thing in an option. */
export const MAX_OPTION = 4096 + 64;
export const SECTOR = 512;
export const PREFERRED_BLOCK = 4096;

export const REQUEST_BYTES = 28;

export interface Request {
  flags: number;
  command: number;
  /** The client's own mark, which the reply bears. */
  cookie: bigint;
  offset: bigint;
  length: number;
}

/** @returns undefined when it is none */
export function parseRequest(header: Buffer): Request | undefined {
  if (header.readUInt32BE(0) !== REQUEST_MAGIC) return undefined;
  return {
    flags: header.readUInt16BE(4),
    command: header.readUInt16BE(6),
    cookie: header.readBigUInt64BE(8),
    offset: header.readBigUInt64BE(16),
    length: header.readUInt32BE(24),
  };
}

export function encodeReply(cookie: bigint, errno: number): Buffer {
  const reply = Buffer.alloc(16);
  reply.writeUInt32BE(REPLY_MAGIC, 0);
  reply.writeUInt32BE(errno, 4);
  reply.writeBigUInt64BE(cookie, 8);
  return reply;
}

export function encodeGreeting(): Buffer {
  const greeting = Buffer.alloc(18);
  greeting.writeBigUInt64BE(NBD_MAGIC, 0);
  greeting.writeBigUInt64BE(OPTION_MAGIC, 8);
  greeting.writeUInt16BE(HANDSHAKE.fixedNewstyle | HANDSHAKE.noZeroes, 16);
  return greeting;
}

export function encodeOptionReply(option: number, type: number, data: Uint8Array = new Uint8Array()): Buffer {
  const header = Buffer.alloc(20);
  header.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
  header.writeUInt32BE(option, 8);
  header.writeUInt32BE(type, 12);
  header.writeUInt32BE(data.length, 16);
  return Buffer.concat([header, data]);
}

/** What a client must know of the export before it sends requests. */
export function encodeExport(size: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeBigUInt64BE(BigInt(size), 0);
  bytes.writeUInt16BE(TRANSMISSION_FLAGS, 8);
  return bytes;
}

export function encodeExportInfo(size: number): Buffer {
  return Buffer.concat([Buffer.from([0, INFO.export]), encodeExport(size)]);
}

/** Least, preferred and largest size of a request. */
export function encodeBlockSizeInfo(): Buffer {
  const bytes = Buffer.alloc(14);
  bytes.writeUInt16BE(INFO.blockSize, 0);
  bytes.writeUInt32BE(SECTOR, 2);
  bytes.writeUInt32BE(PREFERRED_BLOCK, 6);
  bytes.writeUInt32BE(MAX_PAYLOAD, 10);
  return bytes;
}

/** What INFO and GO ask: the export's name and which kinds of information. Undefined when it is not well formed. */
export function parseInfoRequest(data: Buffer): { name: string; kinds: number[] } | undefined {
  if (data.length < 6) return undefined;
  const nameLength = data.readUInt32BE(0);
  if (nameLength > data.length - 6) return undefined;
  const count = data.readUInt16BE(4 + nameLength);
  const from = 6 + nameLength;
  if (data.length !== from + count * 2) return undefined;
  const kinds = Array.from({ length: count }, (_, n) => data.readUInt16BE(from + n * 2));
  return { name: data.toString('utf8', 4, 4 + nameLength), kinds };
}
