/** A node of a device tree. Names are with their unit address (`serial@7e201000`); the root's is empty. */
export interface FdtNode {
  name: string;
  /** Values as they are in the blob: big-endian cells, or strings that end with NUL. */
  properties: Map<string, Uint8Array>;
  children: FdtNode[];
}

/** A flattened device tree. */
export interface Fdt {
  root: FdtNode;
  /** Physical memory that the kernel must keep its hands off, bytes. */
  reservations: { address: bigint; size: bigint }[];
  /** Physical id of the boot processor. */
  bootCpu: number;
}

// Devicetree Specification 0.4, chapter 5: https://www.devicetree.org/specifications/
export const MAGIC = 0xd00dfeed;
export const VERSION = 17;
export const OLDEST_COMPATIBLE = 16;
export const HEADER_SIZE = 40;
export const BEGIN_NODE = 1;
export const END_NODE = 2;
export const PROP = 3;
export const NOP = 4;
export const END = 9;
