import {
  BEGIN_NODE,
  END,
  END_NODE,
  type Fdt,
  type FdtNode,
  HEADER_SIZE,
  MAGIC,
  OLDEST_COMPATIBLE,
  PROP,
  VERSION,
} from './layout.ts';

/** Writes a device tree blob of version 17, without slack. The same tree gives the same bytes. */
export function writeFdt({ root, reservations, bootCpu }: Fdt): Uint8Array<ArrayBuffer> {
  const strings = new Map<string, number>();
  let stringsSize = 0;
  const pieces: Uint8Array[] = [];
  const cells = (...values: number[]) => {
    const piece = new Uint8Array(values.length * 4);
    const view = new DataView(piece.buffer);
    for (const [i, value] of values.entries()) view.setUint32(i * 4, value);
    pieces.push(piece);
  };
  const padded = (bytes: Uint8Array) => pieces.push(bytes, new Uint8Array(-bytes.length & 3));
  const writeNode = (node: FdtNode): void => {
    cells(BEGIN_NODE);
    padded(utf8(`${node.name}\0`));
    for (const [name, value] of node.properties) {
      let at = strings.get(name);
      if (at === undefined) {
        at = stringsSize;
        strings.set(name, at);
        stringsSize += utf8(name).length + 1;
      }
      cells(PROP, value.length, at);
      padded(value);
    }
    for (const child of node.children) writeNode(child);
    cells(END_NODE);
  };
  writeNode(root);
  cells(END);

  const structure = concat(pieces);
  const reservationsSize = (reservations.length + 1) * 16;
  const structAt = HEADER_SIZE + reservationsSize;
  const stringsAt = structAt + structure.length;
  const out = new Uint8Array(stringsAt + stringsSize);
  const view = new DataView(out.buffer);
  const header = [MAGIC, out.length, structAt, stringsAt, HEADER_SIZE, VERSION, OLDEST_COMPATIBLE, bootCpu];
  for (const [i, value] of [...header, stringsSize, structure.length].entries()) view.setUint32(i * 4, value);
  reservations.forEach(({ address, size }, i) => {
    view.setBigUint64(HEADER_SIZE + i * 16, address);
    view.setBigUint64(HEADER_SIZE + i * 16 + 8, size);
  });
  out.set(structure, structAt);
  for (const [name, at] of strings) out.set(utf8(name), stringsAt + at);
  return out;
}

function concat(pieces: Uint8Array[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

const utf8 = (value: string) => new TextEncoder().encode(value);
