export {
  findCompatible,
  getStrings,
  getU32s,
  nodeAt,
  type Place,
  setStatus,
  setStrings,
  setU32s,
  walk,
} from './edit.ts';
export type { Fdt, FdtNode } from './layout.ts';
export { readFdt } from './read.ts';
export { writeFdt } from './write.ts';
