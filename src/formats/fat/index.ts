export type { FatType } from './geometry.ts';
export type { FatFile } from './layout.ts';
export { type FatEntry, type FatReader, readFat } from './read.ts';
export { type FatOptions, writeFat } from './write.ts';
