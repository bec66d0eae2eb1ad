import { crc32 } from 'node:zlib';
import type { Disk } from './disk.ts';
import { IDENTITY } from './layout.ts';

/**
 * Who a device is, whatever firmware it runs: kept by updates and by a factory reset. Two copies on the disk, written in turn:
 * eight bytes of magic, a counter and the length as uint32, the CRC-32 of both and of the JSON that follows; big-endian.
 */
const MAGIC = 'HEARTHID';
const PREFIX = 20;

export interface Identity {
  /** Names the device where nobody has given it a name. */
  serial: string;
  /** The private key of its SSH daemon: Dropbear's file, in Base64. */
  hostKey?: string | undefined;
  hostname?: string | undefined;
  /** Public keys, lines of OpenSSH, that may log in besides the firmware's. */
  operatorKeys: string[];
  /** A factory reset has been asked for, and is done by the next boot. */
  forgetData?: boolean | undefined;
}

interface Copy {
  counter: number;
  /** Of the copy: 0 or 1. */
  at: number;
  identity: Identity;
}

export class IdentityStore {
  readonly #disk: Disk;
  #current: Copy | undefined;

  private constructor(disk: Disk, current: Copy | undefined) {
    this.#disk = disk;
    this.#current = current;
  }

  static async open(disk: Disk): Promise<IdentityStore> {
    const copies = await Promise.all(
      IDENTITY.offsets.map(async (offset, at) => decode(await disk.read(offset, IDENTITY.size), at)),
    );
    const [first, second] = copies;
    // The counter wraps: the newer one is the one that is a little ahead.
    const newer = first && second ? ((first.counter - second.counter) | 0) > 0 : first !== undefined;
    return new IdentityStore(disk, newer ? first : second);
  }

  /** Undefined on a device that has none yet, or has lost it. */
  get identity(): Identity | undefined {
    return this.#current?.identity;
  }

  /** Resolves when it is on the disk. One at a time. */
  async write(identity: Identity): Promise<void> {
    const counter = ((this.#current?.counter ?? 0) + 1) >>> 0;
    const at = this.#current?.at === 0 ? 1 : 0;
    await this.#disk.writeAlone(IDENTITY.offsets[at], encode(identity, counter));
    this.#current = { counter, at, identity };
  }
}

/** @throws RangeError when it is too large for its place */
function encode(identity: Identity, counter: number): Uint8Array {
  const json = Buffer.from(JSON.stringify(identity));
  if (PREFIX + json.length > IDENTITY.size) throw new RangeError(`${json.length} bytes of identity`);
  const bytes = Buffer.alloc(IDENTITY.size);
  bytes.write(MAGIC, 'latin1');
  bytes.writeUInt32BE(counter, 8);
  bytes.writeUInt32BE(json.length, 12);
  bytes.set(json, PREFIX);
  bytes.writeUInt32BE(checksum(bytes, json.length), 16);
  return bytes;
}

function decode(read: Uint8Array, at: number): Copy | undefined {
  const bytes = Buffer.from(read.buffer, read.byteOffset, read.length);
  if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) return undefined;
  const length = bytes.readUInt32BE(12);
  if (PREFIX + length > bytes.length || bytes.readUInt32BE(16) !== checksum(bytes, length)) return undefined;
  const identity = identityOf(jsonOf(bytes.subarray(PREFIX, PREFIX + length)));
  return identity && { counter: bytes.readUInt32BE(8), at, identity };
}

/**
 * By hand: this is read at every boot before /data is mounted, and loading a library of schemas would take longer than all the
 * rest of it. What a later version has put there stays there.
 */
function identityOf(value: unknown): Identity | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { serial, hostKey, hostname, operatorKeys = [], forgetData } = value as Record<string, unknown>;
  const texts = [serial, hostKey ?? '', hostname ?? ''];
  if (texts.some((text) => typeof text !== 'string')) return undefined;
  if (!Array.isArray(operatorKeys) || operatorKeys.some((key) => typeof key !== 'string')) return undefined;
  if (forgetData !== undefined && typeof forgetData !== 'boolean') return undefined;
  return { ...value, operatorKeys } as Identity;
}

function checksum(bytes: Buffer, length: number): number {
  return crc32(bytes.subarray(PREFIX, PREFIX + length), crc32(bytes.subarray(8, 16)));
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    // Its checksum is right, and we wrote none such: then it is nobody's identity.
    return undefined;
  }
}
