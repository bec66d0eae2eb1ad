import type { FdtNode } from './layout.ts';

/** A node and its full path, e.g. `/soc/serial@7e201000`; the root's is `/`. */
export interface Place {
  path: string;
  node: FdtNode;
}

/** Every node below and with the given one, parents first. */
export function* walk(node: FdtNode, path = '/'): Generator<Place> {
  yield { path, node };
  for (const child of node.children) yield* walk(child, `${path === '/' ? '' : path}/${child.name}`);
}

/** The node at a full path with unit addresses; undefined when there is none. */
export function nodeAt(root: FdtNode, path: string): FdtNode | undefined {
  let node: FdtNode | undefined = root;
  for (const name of path.split('/').filter(Boolean))
    node = node?.children.find((child) => child.name === name);
  return node;
}

/** All nodes that say they are compatible with a binding, e.g. `brcm,bcm2835-wdt`. */
export function findCompatible(root: FdtNode, compatible: string): Place[] {
  return [...walk(root)].filter(({ node }) => getStrings(node, 'compatible').includes(compatible));
}

/** The strings of a property; none when there is no such property. */
export function getStrings(node: FdtNode, name: string): string[] {
  const value = node.properties.get(name);
  if (!value || value.length === 0) return [];
  return new TextDecoder().decode(value).replace(/\0$/, '').split('\0');
}

/** The 32-bit cells of a property; none when there is no such property. A last part of a cell is left out. */
export function getU32s(node: FdtNode, name: string): number[] {
  const value = node.properties.get(name) ?? new Uint8Array();
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  return Array.from({ length: value.length >> 2 }, (_, i) => view.getUint32(i * 4));
}

/** Sets a property to one or more strings. */
export function setStrings(node: FdtNode, name: string, ...values: string[]): void {
  node.properties.set(name, new TextEncoder().encode(values.map((value) => `${value}\0`).join('')));
}

/** Sets a property to 32-bit cells. */
export function setU32s(node: FdtNode, name: string, ...values: number[]): void {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setUint32(i * 4, value);
  node.properties.set(name, bytes);
}

/** Makes the kernel use a device, or leave it alone. */
export function setStatus(node: FdtNode, status: 'okay' | 'disabled'): void {
  setStrings(node, 'status', status);
}
