import { FormatError } from '../../errors.ts';
import {
  BEGIN_NODE,
  END,
  END_NODE,
  type Fdt,
  type FdtNode,
  HEADER_SIZE,
  MAGIC,
  NOP,
  PROP,
  VERSION,
} from './layout.ts';

/** Far deeper than any board's tree (Linux allows 64); a limit, so that other readers' recursion is safe too. */
const MAX_DEPTH = 64;
/** The specification allows 31 characters; Linux uses more. Bounds the cost of names that overlap. */
const MAX_NAME = 256;

/**
 * Reads a device tree blob of version 17 (what dtc, Linux and U-Boot write). Phandles are values like any other:
 * they stay as they are.
 * @throws {FormatError} `bad-fdt`.
 */
export function readFdt(bytes: Uint8Array): Fdt {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEADER_SIZE || view.getUint32(0) !== MAGIC) {
    throw new FormatError('fdt', 'this is not a device tree blob', {
      offset: 0,
      expected: 'the magic number d00dfeed',
    });
  }
  const header = (index: number) => view.getUint32(index * 4);
  const [total, structAt, stringsAt, reservationsAt] = [header(1), header(2), header(3), header(4)];
  if (total < HEADER_SIZE || total > bytes.length) {
    throw new FormatError('fdt', `the blob says it has ${total} bytes and has ${bytes.length}`, {
      offset: 4,
    });
  }
  if (header(5) < VERSION || header(6) > VERSION) {
    throw new FormatError('fdt', `version ${header(5)} is not known`, {
      offset: 20,
      expected: `version ${VERSION}`,
    });
  }
  const [stringsSize, structSize] = [header(8), header(9)];
  if (structAt % 4 !== 0 || structAt + structSize > total) throw damaged('the structure block', 8);
  if (stringsAt + stringsSize > total) throw damaged('the strings block', 12);
  return {
    root: readStructure(
      bytes,
      view,
      structAt,
      structAt + structSize,
      bytes.subarray(stringsAt, stringsAt + stringsSize),
    ),
    reservations: readReservations(view, reservationsAt, total),
    bootCpu: header(7),
  };
}

function readStructure(
  bytes: Uint8Array,
  view: DataView,
  start: number,
  end: number,
  strings: Uint8Array,
): FdtNode {
  let at = start;
  const take = (length: number): number => {
    const taken = at;
    at += (length + 3) & ~3;
    if (length > end - taken || at > end) throw damaged('the structure block', taken);
    return taken;
  };
  const cell = () => view.getUint32(take(4));
  // Names repeat hundreds of times, so each is decoded once.
  const names = new Map<number, string>();
  const open: FdtNode[] = [];
  for (;;) {
    const token = cell();
    const node = open.at(-1);
    if (token === BEGIN_NODE) {
      const nul = bytes.subarray(at, Math.min(end, at + MAX_NAME)).indexOf(0);
      const begin = take(nul + 1);
      if (nul < 0 || open.length === MAX_DEPTH) throw damaged('a node', at);
      const child: FdtNode = {
        name: text(bytes.subarray(begin, begin + nul), begin),
        properties: new Map(),
        children: [],
      };
      node?.children.push(child);
      open.push(child);
    } else if (token === PROP && node) {
      const [length, nameAt] = [cell(), cell()];
      const name = names.get(nameAt) ?? stringAt(strings, nameAt);
      names.set(nameAt, name);
      const value = take(length);
      if (node.properties.has(name)) throw damaged(`a second property ${name}`, value);
      node.properties.set(name, new Uint8Array(bytes.subarray(value, value + length)));
    } else if (token === END_NODE && node) {
      open.pop();
      if (open.length > 0) continue;
      // Only no-operations may stand between the root's end and the end of the block.
      let last = cell();
      while (last === NOP) last = cell();
      if (last !== END) throw damaged('the end of the structure block', at - 4);
      return node;
    } else if (token !== NOP) {
      throw damaged('the structure block', at - 4);
    }
  }
}

function readReservations(view: DataView, start: number, total: number): Fdt['reservations'] {
  const found: Fdt['reservations'] = [];
  for (let at = start; ; at += 16) {
    if (at + 16 > total) throw damaged('the memory reservation block', start);
    const [address, size] = [view.getBigUint64(at), view.getBigUint64(at + 8)];
    if (address === 0n && size === 0n) return found;
    found.push({ address, size });
  }
}

function stringAt(strings: Uint8Array, at: number): string {
  const rest = strings.subarray(at, at + MAX_NAME);
  const nul = rest.indexOf(0);
  if (nul < 0) throw damaged('the name of a property', at);
  return text(rest.subarray(0, nul), at);
}

/** Names are ASCII by the specification; anything else would not survive being written again. */
function text(bytes: Uint8Array, offset: number): string {
  if (bytes.some((byte) => byte < 0x20 || byte > 0x7e)) throw damaged('a name', offset);
  return String.fromCharCode(...bytes);
}

function damaged(what: string, offset: number): FormatError {
  return new FormatError('fdt', `${what} is damaged or leads out of the blob`, { offset });
}
